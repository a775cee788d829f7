import papaparse from 'papaparse'

/**
 * One row of CSV (RFC 4180).
 * @param end its line end
 */
export function writeCsvRow(cells: readonly (string | number)[], end = '\r\n'): string {
  return papaparse.unparse([cells as (string | number)[]]) + end
}
