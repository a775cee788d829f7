import type { CsvFields } from './csv-event.ts'
import { CSV_COLUMNS } from './csv-header.ts'
import type { Header } from './csv-header.ts'

/** One CSV row as papaparse reads it: what is wrong with it, or its fields by name. */

export function quoteFault(errors: readonly { type: string }[]): string | undefined {
  return errors.some(({ type }) => type === 'Quotes')
    ? 'a quoted field is not closed, or goes on after its quote'
    : undefined
}

export function countFault(found: number, expected: number): string | undefined {
  return found === expected ? undefined : `the row has ${found} fields instead of ${expected}`
}

/** @param row with as many fields as the header has columns */
export function fieldsOf(row: readonly string[], header: Header): CsvFields {
  const fields = CSV_COLUMNS.map((name) => [name, row[header.position[name]]!])
  return Object.fromEntries(fields) as CsvFields
}
