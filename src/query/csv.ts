import type { Answer } from './answer.ts'

/**
 * Answers as CSV (RFC 4180), for spreadsheets and scripts. What a cell says is what was stored: one that begins with `=` is not defused, so import such
 * a file as text.
 */

/** One line for every entry of `data`, under the names of its fields. */
export function toCsv(answer: Answer): string {
  return rowsOf(answer).map(csvLine).join('')
}

function rowsOf(answer: Answer): (string | number)[][] {
  if ('cohort_size' in answer) {
    return [
      ['window', 'from', 'to', 'users', 'rate', 'cohort_size'],
      ...answer.data.map((d) => [d.window, d.from, d.to, d.users, d.rate, answer.cohort_size]),
    ]
  }
  if ('limit' in answer) return [['event_type', 'count'], ...answer.data.map((d) => [d.event_type, d.count])]
  return [['date', 'dau'], ...answer.data.map((d) => [d.date, d.dau])]
}

export function csvLine(cells: readonly (string | number)[]): string {
  return `${cells.map(quote).join(',')}\r\n`
}

function quote(cell: string | number): string {
  const text = String(cell)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
