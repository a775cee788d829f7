import { writeCsvRow } from '../event/csv-row.ts'
import type { CsvCell } from '../event/csv-row.ts'
import type { Answer } from './answer.ts'

/**
 * Renders answers as CSV (RFC 4180). Cells hold the stored value: one that starts with `=` is not
 * escaped, so import the file as text into a spreadsheet.
 */

/** Returns a header row and one row for each entry of `data`. What the entry has no value for is an empty cell. */
export function toCsv(answer: Answer): string {
  return rowsOf(answer)
    .map((cells) => writeCsvRow(cells))
    .join('')
}

function rowsOf(answer: Answer): CsvCell[][] {
  if ('cohort_size' in answer) {
    return [
      ['window', 'from', 'to', 'users', 'rate', 'cohort_size', 'incomplete'],
      ...answer.data.map((d) => [
        d.window,
        d.from,
        d.to,
        d.users,
        d.rate,
        answer.cohort_size,
        d.incomplete ?? null,
      ]),
    ]
  }
  if ('limit' in answer) return [['event_type', 'count'], ...answer.data.map((d) => [d.event_type, d.count])]
  return [['date', 'dau', 'incomplete'], ...answer.data.map((d) => [d.date, d.dau, d.incomplete ?? null])]
}
