import type { CsvFields } from './csv-event.ts'
import { CSV_COLUMNS } from './csv-header.ts'
import type { Header } from './csv-header.ts'

/** Checks one CSV row as papaparse returns it, and names its fields. */

export function quoteFault(errors: readonly { type: string }[]): string | undefined {
  return errors.some(({ type }) => type === 'Quotes')
    ? 'a quoted field is not closed, or has text after its closing quote'
    : undefined
}

export function countFault(found: number, expected: number): string | undefined {
  return found === expected ? undefined : `the row has ${found} fields instead of ${expected}`
}

/** @param row must have as many fields as the header has columns */
export function fieldsOf(row: readonly string[], header: Header): CsvFields {
  const fields = CSV_COLUMNS.map((name) => [name, row[header.position[name]]!])
  return Object.fromEntries(fields) as CsvFields
}
