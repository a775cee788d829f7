import type { FieldError } from '../problem/problem.ts'
import type { CsvColumn } from './csv-header.ts'
import { judgeEvent } from './event.ts'
import type { EventSchema, Verdict } from './event.ts'

export type CsvFields = Readonly<Record<CsvColumn, string>>

/** Validates one CSV row with the event schema. */
export function judgeFields(schema: EventSchema, fields: CsvFields): Verdict {
  const result = eventOfFields(fields, JSON.parse)
  return 'error' in result ? result : judgeEvent(schema, result.value)
}

/**
 * Converts a CSV row to an event that is not validated yet.
 * @param parse parses the JSON of the properties; throws on invalid JSON
 */
export function eventOfFields(
  fields: CsvFields,
  parse: (text: string) => unknown,
): { value: unknown } | { error: FieldError } {
  const { event_id, occurred_at, user_id, event_type, properties_json } = fields
  let properties: unknown
  try {
    properties = properties_json.trim() === '' ? {} : parse(properties_json)
  } catch {
    return { error: { path: 'properties_json', message: 'properties_json is not JSON' } }
  }
  // The decoder replaces invalid UTF-8 with U+FFFD.
  for (const name of ['user_id', 'event_type', 'properties_json'] as const) {
    if (fields[name].includes('\ufffd')) {
      return {
        error: { path: name, message: `${name} is not valid UTF-8, or contains the character U+FFFD` },
      }
    }
  }
  return { value: { event_id, occurred_at, user_id, event_type, properties } }
}
