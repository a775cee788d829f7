import papaparse from 'papaparse'

/** A value of one cell. Null is written as an empty cell. */
export type CsvCell = string | number | boolean | null

/**
 * Formats one row of CSV (RFC 4180).
 * @param end line end after the row
 */
export function writeCsvRow(cells: readonly CsvCell[], end = '\r\n'): string {
  return papaparse.unparse([cells as CsvCell[]]) + end
}
