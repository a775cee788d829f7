import type { FieldError } from '../problem/problem.ts'
import { CSV_COLUMNS } from './csv-header.ts'
import type { CsvColumn, Header } from './csv-header.ts'
import type { CsvRecord } from './csv-scanner.ts'
import { define } from './json.ts'
import { epochAsIso } from './time.ts'

/** Events as CSV rows. Whoever reads a row, DuckDB excepted, reads it here. */

export type CsvFields = Readonly<Record<CsvColumn, string>>

/**
 * The event that a row writes down, not judged yet; or what keeps it from being read.
 * @param parse reads the JSON of the properties, and throws if it cannot
 */
export function eventOfRecord(
  record: CsvRecord,
  header: Header,
  parse: (text: string) => unknown,
): { value: unknown } | { error: FieldError } {
  const fault = record.fault ?? countFault(record.count, header.count)
  if (fault !== null) return { error: { path: '', message: fault } }
  const fields = fieldsOf(record.fields, header)
  const { time_format } = header
  // What is no number is left for the schema to refuse.
  const occurred_at =
    time_format === null
      ? fields.occurred_at
      : (epochAsIso(fields.occurred_at, time_format) ?? `not ${time_format}: ${fields.occurred_at}`)
  return eventOfFields({ ...fields, occurred_at }, parse, extraOf(record.fields, header))
}

/** @param extra further properties; those of the JSON go first */
export function eventOfFields(
  { event_id, occurred_at, user_id, event_type, properties_json }: CsvFields,
  parse: (text: string) => unknown,
  extra: Readonly<Record<string, string>> | null = null,
): { value: unknown } | { error: FieldError } {
  let properties: unknown
  try {
    properties = properties_json.trim() === '' ? {} : parse(properties_json)
  } catch {
    return { error: { path: 'properties_json', message: 'properties_json is not JSON' } }
  }
  // What is no object is left for the schema to refuse.
  if (extra !== null && Object.getPrototypeOf(properties ?? 0) === Object.prototype) {
    properties = { ...extra, ...(properties as object) }
  }
  return { value: { event_id, occurred_at, user_id, event_type, properties } }
}

function countFault(found: number, expected: number): string | null {
  return found === expected ? null : `the row has ${found} fields instead of ${expected}`
}

/** @param row with as many fields as the header has columns */
export function fieldsOf(row: readonly string[], header: Header): CsvFields {
  const fields = CSV_COLUMNS.map((name) => [name, row[header.position[name]] ?? ''])
  return Object.fromEntries(fields) as CsvFields
}

/** Empty cells are no properties. */
function extraOf(row: readonly string[], { extra }: Header): Record<string, string> | null {
  if (extra.size === 0) return null
  const properties: Record<string, string> = {}
  for (const [name, at] of extra) if (row[at] !== '') define(properties, name, row[at]!)
  return properties
}
