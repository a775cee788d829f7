import type { FieldError } from '../problem/problem.ts'
import type { CsvColumn } from './csv-header.ts'
import { judgeEvent } from './event.ts'
import type { EventSchema, Verdict } from './event.ts'

export type CsvFields = Readonly<Record<CsvColumn, string>>

/** Judges one CSV row by the one schema of an event. */
export function judgeFields(schema: EventSchema, fields: CsvFields): Verdict {
  const result = eventOfFields(fields, JSON.parse)
  return 'error' in result ? result : judgeEvent(schema, result.value)
}

/**
 * The event that a CSV row writes down, not judged yet; or what keeps it from being read.
 * @param parse reads the JSON of the properties, and throws if it cannot
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
  // What could not be decoded as UTF-8 was replaced by this character.
  for (const name of ['user_id', 'event_type', 'properties_json'] as const) {
    if (fields[name].includes('\ufffd')) {
      return { error: { path: name, message: `${name} is not valid UTF-8, or has the character U+FFFD` } }
    }
  }
  return { value: { event_id, occurred_at, user_id, event_type, properties } }
}
