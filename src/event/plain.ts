import {
  AHEAD_OF_NOW_MAX_US,
  EVENT_FIELDS,
  EVENT_TYPE_CHARS_MAX,
  isNoName,
  USER_ID_CHARS_MAX,
  writeProperties,
} from './event.ts'
import type { Event } from './event.ts'
import { isEventId } from './id.ts'
import { ExactNumber } from './json.ts'
import { parseInstant } from './time.ts'
import type { Micros } from './time.ts'

/**
 * Reads an event that is certainly valid: its fields and no others, each in its usual form.
 * @returns the event as the schema would return it; or null if the schema must decide
 */
export function plainEvent(value: unknown, now_us: Micros): Event | null {
  if (typeof value !== 'object' || value === null) return null
  const { event_id, occurred_at, user_id, event_type, properties } = value as Record<string, unknown>
  if (typeof event_id !== 'string' || !isEventId(event_id)) return null
  if (!isPlainText(user_id, USER_ID_CHARS_MAX) || !isPlainText(event_type, EVENT_TYPE_CHARS_MAX)) return null
  if (typeof occurred_at !== 'string') return null
  let fields = 0
  for (const _ in value) fields += 1
  if (fields !== (properties === undefined ? EVENT_FIELDS.length - 1 : EVENT_FIELDS.length)) return null
  const occurred_at_us = parseInstant(occurred_at)
  if (occurred_at_us === null || occurred_at_us < 0 || occurred_at_us > now_us + AHEAD_OF_NOW_MAX_US)
    return null
  const json = properties === undefined ? '{}' : plainProperties(properties)
  if (json === null) return null
  return { event_id: event_id.toLowerCase(), occurred_at_us, user_id, event_type, properties: json }
}

function plainProperties(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactNumber)
    return null
  const written = writeProperties(value)
  return 'json' in written ? written.json : null
}

const FIRST_SURROGATE = 0xd800
const LAST_SURROGATE = 0xdfff

/** Whether this is a name of at most so many characters, none of them NUL or outside of the basic plane. */
function isPlainText(text: unknown, chars_max: number): text is string {
  if (typeof text !== 'string' || text.length === 0 || text.length > chars_max) return false
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i)
    if (code === 0 || (code >= FIRST_SURROGATE && code <= LAST_SURROGATE)) return false
  }
  return !isNoName(text)
}
