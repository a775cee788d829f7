import { judgeEvent } from '../event.ts'
import type { EventSchema, Verdict } from '../event.ts'
import type { CsvColumn } from './header.ts'

export type CsvFields = Readonly<Record<CsvColumn, string>>

/** Judges one CSV row by the one schema of an event. */
export function judgeFields(schema: EventSchema, fields: CsvFields): Verdict {
  const properties = parseProperties(fields.properties_json)
  if (properties === NOT_JSON)
    return { error: { path: 'properties_json', message: 'properties_json is not JSON' } }
  // What could not be decoded as UTF-8 was replaced by this character.
  for (const name of ['user_id', 'event_type', 'properties_json'] as const) {
    if (fields[name].includes('\ufffd')) {
      return { error: { path: name, message: `${name} is not valid UTF-8, or has the character U+FFFD` } }
    }
  }
  const { event_id, occurred_at, user_id, event_type } = fields
  return judgeEvent(schema, { event_id, occurred_at, user_id, event_type, properties })
}

const NOT_JSON = Symbol('not JSON')

function parseProperties(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    return NOT_JSON
  }
}
