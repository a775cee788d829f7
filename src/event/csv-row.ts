import papaparse from 'papaparse'

/** Null is an empty cell. */
export type CsvCell = string | number | boolean | null

/**
 * One row of CSV (RFC 4180).
 * @param end its line end
 */
export function writeCsvRow(cells: readonly CsvCell[], end = '\r\n'): string {
  return papaparse.unparse([cells as CsvCell[]]) + end
}
