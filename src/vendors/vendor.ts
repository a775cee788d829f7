import { EVENT_TYPE_CHARS_MAX } from '../event/event.ts'
import type { Verdict } from '../event/event.ts'
import { define, ExactNumber, parseExactJson } from '../event/json.ts'
import type { Judge } from '../event/judge.ts'
import { epochAsIso } from '../event/time.ts'
import type { EpochFormat } from '../event/time.ts'
import { contentEventId, vendorEventId } from './vendor-id.ts'

/** What a vendor's mapping gives, and how it becomes an event. */

export type Fields = Readonly<Record<string, unknown>>

/** An event as a vendor's mapping reads it. What is missing or of the wrong type is left for the schema to reject. */
export interface VendorEvent {
  /** Undefined if the event brings none. */
  id: string | undefined
  /** What `id` is unique in. */
  scope: readonly string[]
  occurred_at: unknown
  user_id: unknown
  event_type: unknown
  properties: unknown
  /** What else the vendor says of the event. Left out of an event that is only valid without it. */
  context: Fields
}

export interface Vendor {
  /** Part of each id that is made. Never change it. */
  family: string
  map(row: Fields): VendorEvent
}

/**
 * Maps and validates one event.
 * @param value the event as the vendor sends or exports it
 * @param text the JSON of `value`, of which the id of an event without one is made
 */
export function judgeVendorEvent(judge: Judge, vendor: Vendor, value: unknown, text: string): Verdict {
  if (!isObject(value)) return judge(value)
  const { id, scope, occurred_at, user_id, event_type, properties, context } = vendor.map(value)
  const event = withoutUndefined({
    event_id:
      id === undefined ? contentEventId(vendor.family, text) : vendorEventId(vendor.family, scope, id),
    occurred_at,
    user_id,
    ...named(event_type, properties),
  })
  const kept = event['properties']
  if (!isObject(kept) || Object.keys(context).length === 0) return judge(event)
  const whole = judge({ ...event, properties: { ...kept, $context: context } })
  if ('event' in whole) return whole
  const alone = judge(event)
  return 'event' in alone ? alone : whole
}

/** The schema tells a missing field from one of the wrong type. */
function withoutUndefined(event: Fields): Fields {
  const fields: Record<string, unknown> = {}
  for (const name of Object.keys(event)) if (event[name] !== undefined) fields[name] = event[name]
  return fields
}

/** A name that is too long is cut, and kept whole as a property. */
function named(event_type: unknown, properties: unknown): { event_type: unknown; properties: unknown } {
  if (typeof event_type !== 'string' || event_type.length <= EVENT_TYPE_CHARS_MAX || !isObject(properties))
    return { event_type, properties }
  const characters = [...event_type]
  if (characters.length <= EVENT_TYPE_CHARS_MAX) return { event_type, properties }
  return {
    event_type: characters.slice(0, EVENT_TYPE_CHARS_MAX).join(''),
    properties: { ...properties, $event_name: event_type },
  }
}

/** An object of JSON. */
export function isObject(value: unknown): value is Fields {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  )
}

/** The first of the values that is not null, missing or an empty text. */
export function firstOf(...values: readonly unknown[]): unknown {
  return values.find((value) => !isEmpty(value))
}

/** An id or name as text; undefined if it is neither a text nor a number, or empty. */
export function textOf(value: unknown): string | undefined {
  if (value instanceof ExactNumber) return value.text
  return (typeof value === 'string' && value !== '') || typeof value === 'number' ? String(value) : undefined
}

/** A number of units since 1970 as ISO 8601; anything else as it is. */
export function isoOf(time: unknown, unit: EpochFormat): unknown {
  if (typeof time !== 'number' && !(time instanceof ExactNumber)) return time
  return epochAsIso(String(Number(textOf(time))), unit) ?? time
}

/** Keys of the vendor's account; they are secrets, or of no use. */
const KEYS: ReadonlySet<string> = new Set(['token', '$token', 'api_key', 'writeKey', 'write_key'])

/** The fields but these, the vendor's keys, and those that are empty. */
export function otherFields(row: Fields, mapped: ReadonlySet<string>): Fields {
  const others: Record<string, unknown> = {}
  for (const key of Object.keys(row))
    if (!mapped.has(key) && !KEYS.has(key) && !isEmpty(row[key])) define(others, key, row[key])
  return others
}

/** Properties but these and the vendor's keys. What is not an object is left for the schema to reject. */
export function propertiesOf(value: unknown, mapped: ReadonlySet<string>): unknown {
  const properties = firstOf(value) ?? {}
  if (!isObject(properties)) return properties
  const kept: Record<string, unknown> = {}
  for (const key of Object.keys(properties))
    if (!mapped.has(key) && !KEYS.has(key)) define(kept, key, properties[key])
  return kept
}

/** An object, also where it is written as JSON within a string. */
export function unpacked(value: unknown): unknown {
  if (typeof value !== 'string' || !value.trimStart().startsWith('{')) return value
  try {
    return parseExactJson(value)
  } catch {
    return value
  }
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === '' ||
    (typeof value === 'object' && !(value instanceof ExactNumber) && Object.keys(value).length === 0)
  )
}
