import { writeCsvRow } from '../../event/csv-row.ts'
import type { Asked, Row } from './asked.ts'
import { questionNamed } from '../table.ts'

/** Answers as clients get them. */

export function answerOf(asked: Asked, rows: readonly Row[]): object {
  return questionNamed(asked.name).answer(asked, rows)
}

/**
 * An answer as CSV (RFC 4180). Cells hold the stored value: one that starts with `=` is not escaped, so import the file as text into a
 * spreadsheet.
 */
export function csvOf(asked: Asked, answer: object): string {
  return questionNamed(asked.name)
    .csv(answer)
    .map((cells) => writeCsvRow(cells))
    .join('')
}
