import type { FieldError } from '../problem/problem.ts'
import { CSV_COLUMNS } from './csv-header.ts'
import type { CsvColumn, Header } from './csv-header.ts'
import type { CsvRecord } from './csv-scanner.ts'
import { define } from './json.ts'
import { epochAsIso } from './time.ts'

/** Converts CSV rows to events. All CSV input uses this module, except for rows that DuckDB accepts itself. */

/** The values of one row, by column. */
export type CsvFields = Readonly<Record<CsvColumn, string>>

/**
 * Converts a record to an event that the schema has not validated yet.
 * @param parse parses the JSON of the properties; throws if it is invalid
 * @returns the value; or the error if the record has a fault, the wrong number of fields or invalid JSON
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
  // An invalid number becomes a text that the schema rejects.
  const occurred_at =
    time_format === null
      ? fields.occurred_at
      : (epochAsIso(fields.occurred_at, time_format) ?? `not ${time_format}: ${fields.occurred_at}`)
  return eventOfFields({ ...fields, occurred_at }, parse, extraOf(record.fields, header))
}

/**
 * Converts the fields of a row to an event that the schema has not validated yet.
 * @param parse parses the JSON of the properties; throws if it is invalid
 * @param extra more properties, by name; a key in the JSON takes precedence
 * @returns the value; or the error if the JSON is invalid
 */
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
  // If the JSON is not an object, the schema rejects it.
  if (extra !== null && Object.getPrototypeOf(properties ?? 0) === Object.prototype) {
    properties = { ...extra, ...(properties as object) }
  }
  return { value: { event_id, occurred_at, user_id, event_type, properties } }
}

function countFault(found: number, expected: number): string | null {
  return found === expected ? null : `the row has ${found} fields instead of ${expected}`
}

/**
 * Maps the fields of a row to columns. A column that the file does not have is ''.
 * @param row has as many fields as the header has columns
 */
export function fieldsOf(row: readonly string[], header: Header): CsvFields {
  const fields = CSV_COLUMNS.map((name) => [name, row[header.position[name]] ?? ''])
  return Object.fromEntries(fields) as CsvFields
}

/** The values of the extra columns; an empty cell sets no property. Null if there are no such columns. */
function extraOf(row: readonly string[], { extra }: Header): Record<string, string> | null {
  if (extra.size === 0) return null
  const properties: Record<string, string> = {}
  for (const [name, at] of extra) if (row[at] !== '') define(properties, name, row[at]!)
  return properties
}
