import * as v from 'valibot'
import type { FieldError } from '../problem/problem.ts'
import { isEventId } from './id.ts'
import { ExactNumber, writeExactJson } from './json.ts'
import { isAmbiguousDate, MICROS_PER_DAY, parseInstant } from './time.ts'
import type { Micros } from './time.ts'

/**
 * The only definition of a valid event: HTTP and import both use {@link createEventSchema}, by way of judge.ts. The
 * `json_schema` metadata describes for OpenAPI the checks that cannot be converted to JSON Schema. It
 * must directly follow the type and replaces all checks after it.
 */

export const USER_ID_CHARS_MAX = 256
export const EVENT_TYPE_CHARS_MAX = 200
export const PROPERTIES_BYTES_MAX = 32 * 1024
/** Deeper objects are a mistake or an attack. Every program that later parses the properties supports this depth. */
export const PROPERTIES_DEPTH_MAX = 32
/** A client's clock may run ahead by this much. A later time is a mistake. */
export const AHEAD_OF_NOW_MAX_US = MICROS_PER_DAY

export const EVENT_FIELDS = ['event_id', 'occurred_at', 'user_id', 'event_type', 'properties'] as const

/** A valid event in its stored form. */
export interface Event {
  /** UUID, lower case. */
  event_id: string
  occurred_at_us: Micros
  user_id: string
  event_type: string
  /** JSON text of an object. */
  properties: string
}

function text(field: string, chars_max: number) {
  const message = `${field} must be a string of 1 to ${chars_max} characters, without NUL or unpaired surrogates`
  return v.pipe(
    v.string(message),
    v.metadata({ json_schema: textJson(chars_max) }),
    v.check((s) => s.length > 0 && fitsChars(s, chars_max) && !s.includes('\0') && s.isWellFormed(), message),
    v.check(
      (s) => !isNoName(s),
      `${field} must name something: it is blank, or the null of a database export`,
    ),
  )
}

/** Texts that database exports write for NULL. */
export const NULL_TEXTS: readonly string[] = ['NULL', 'null', '\\N']

/** Whether a text is blank or an exported NULL. Storing it would merge all events without a value into one user or event type. */
export function isNoName(s: string): boolean {
  return (
    (s.length <= 4 && NULL_TEXTS.includes(s)) ||
    ((s.charCodeAt(0) <= 0x20 || s.charCodeAt(0) > 0x7f) && s.trim() === '')
  )
}

/** JSON Schema also counts characters as Unicode code points. */
const textJson = (chars_max: number) => ({ type: 'string', minLength: 1, maxLength: chars_max })

/** Characters are Unicode code points. `length` counts UTF-16 units, at most two per code point. */
function fitsChars(s: string, chars_max: number): boolean {
  if (s.length <= chars_max) return true
  return s.length <= chars_max * 2 && [...s].length <= chars_max
}

const USER_ID_INTEGER = 'user_id must be a string or an integer between -(2^53-1) and 2^53-1'

const userId = v.pipe(
  v.union([v.string(), v.number()], USER_ID_INTEGER),
  v.metadata({
    json_schema: {
      anyOf: [
        textJson(USER_ID_CHARS_MAX),
        { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
      ],
      description: '`1` and `"1"` are the same user.',
    },
  }),
  v.check((id) => typeof id === 'string' || Number.isSafeInteger(id), USER_ID_INTEGER),
  // "1" and 1 are the same user, because CSV cannot tell them apart.
  v.transform(String),
  text('user_id', USER_ID_CHARS_MAX),
)

const eventId = v.pipe(
  v.string('event_id must be a UUID'),
  v.metadata({
    json_schema: {
      type: 'string',
      format: 'uuid',
      description: 'Each id is stored once; the first write wins.',
    },
  }),
  v.check(isEventId, 'event_id must be a UUID'),
  v.toLowerCase(),
)

// Not v.record(): it drops keys such as "constructor", and properties must be stored exactly as sent.
const properties = v.pipe(
  v.optional(v.unknown(), () => ({})),
  v.metadata({
    json_schema: {
      type: 'object',
      default: {},
      description: `At most ${PROPERTIES_BYTES_MAX} bytes of JSON, nested at most ${PROPERTIES_DEPTH_MAX} deep.`,
    },
  }),
  v.check(
    (o) => typeof o === 'object' && o !== null && !Array.isArray(o) && !(o instanceof ExactNumber),
    'properties must be an object',
  ),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const written = writeProperties(dataset.value)
    if ('json' in written) return written.json
    addIssue({ message: written.fault })
    return NEVER
  }),
)

/**
 * Serializes properties to the JSON text that is stored.
 * @returns the JSON; or the fault if a reader would not get the value unchanged, or it is too deep or too large
 */
export function writeProperties(value: unknown): { json: string } | { fault: string } {
  const found = { exact: false }
  const fault = propertiesFault(value, PROPERTIES_DEPTH_MAX, found)
  if (fault !== null) return { fault }
  const json = found.exact ? writeExactJson(value) : JSON.stringify(value)
  if (!exceedsBytes(json, PROPERTIES_BYTES_MAX)) return { json }
  return { fault: `properties must be at most ${PROPERTIES_BYTES_MAX} bytes of JSON` }
}

/** Size in UTF-8. A UTF-16 unit takes at most three bytes, so short texts need no exact count. */
function exceedsBytes(json: string, bytes_max: number): boolean {
  return json.length * 3 > bytes_max && Buffer.byteLength(json) > bytes_max
}

/**
 * Checks that every program that parses the JSON text gets the value unchanged.
 * @param levels how many levels of nesting are allowed
 * @param found its `exact` is set if the value has numbers that `JSON.stringify` would change
 * @returns the first fault, or null
 */
function propertiesFault(value: unknown, levels: number, found: { exact: boolean }): string | null {
  if (typeof value === 'string') {
    return value.isWellFormed() ? null : 'properties must not contain unpaired surrogates'
  }
  if (typeof value === 'number') {
    return Number.isFinite(value) ? null : 'properties must not contain numbers beyond the range of a double'
  }
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'bigint' || value instanceof ExactNumber) {
    found.exact = true
    return null
  }
  // JSON cannot express such values, but other body formats can.
  if (typeof value !== 'object') return 'properties must not contain values that JSON cannot express'
  if (levels === 0) return `properties must be nested at most ${PROPERTIES_DEPTH_MAX} deep`
  for (const key in value) {
    if (!key.isWellFormed()) return 'properties must not contain unpaired surrogates'
    const fault = propertiesFault((value as Record<string, unknown>)[key], levels - 1, found)
    if (fault !== null) return fault
  }
  return null
}

const NO_TIME = 'occurred_at must be an ISO 8601 time, such as 2025-08-21T06:52:34.123456Z'
const AMBIGUOUS_DATE =
  'occurred_at may be day and month or month and day; write the year first, such as 2025-08-21T06:52:34Z'

/**
 * Creates the schema of one event.
 * @param now_us returns the current time; `occurred_at` may be at most {@link AHEAD_OF_NOW_MAX_US} later
 */
export function createEventSchema(now_us: () => Micros) {
  const occurredAt = v.pipe(
    v.string(NO_TIME),
    v.metadata({
      json_schema: {
        type: 'string',
        description: 'ISO 8601, microseconds kept; no offset means UTC. From 1970 to 24 hours ahead of now.',
      },
    }),
    v.transform((time) => parseInstant(time) ?? (isAmbiguousDate(time) ? NaN : null)),
    v.number(({ received }) => (received === 'NaN' ? AMBIGUOUS_DATE : NO_TIME)),
    v.check(
      (at) => at >= 0 && at <= now_us() + AHEAD_OF_NOW_MAX_US,
      'occurred_at must be between 1970-01-01 and 24 hours from now',
    ),
  )
  return v.pipe(
    v.strictObject(
      {
        event_id: eventId,
        occurred_at: occurredAt,
        user_id: userId,
        event_type: text('event_type', EVENT_TYPE_CHARS_MAX),
        properties,
      },
      (issue) =>
        issue.expected === 'never'
          ? `unknown field; an event has ${EVENT_FIELDS.join(', ')}`
          : issue.path === undefined
            ? 'an event must be an object'
            : 'is missing',
    ),
    v.transform((e): Event => ({
      event_id: e.event_id,
      occurred_at_us: e.occurred_at,
      user_id: e.user_id,
      event_type: e.event_type,
      properties: e.properties,
    })),
  )
}

export type EventSchema = ReturnType<typeof createEventSchema>
export type Verdict = { event: Event } | { error: FieldError }

/** Validates one value by the schema alone. @returns the event in its stored form, or the first error */
export function judgeEvent(schema: EventSchema, value: unknown): Verdict {
  const result = v.safeParse(schema, withPlainUser(value), { abortEarly: true, abortPipeEarly: true })
  if (result.success) return { event: result.output }
  const issue = result.issues[0]
  const key = issue.path?.[0]?.key
  // The name of an unknown field is client input and is not echoed.
  const path = EVENT_FIELDS.find((field) => field === key) ?? ''
  const message = issue.message === 'is missing' ? `${path} is missing` : issue.message
  return { error: { path, message } }
}

/** Converts a user id such as `1.0` or `1e3`, which the parser keeps as {@link ExactNumber}, to a number. */
function withPlainUser(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('user_id' in value)) return value
  const { user_id } = value
  return user_id instanceof ExactNumber ? { ...value, user_id: Number(user_id.text) } : value
}
