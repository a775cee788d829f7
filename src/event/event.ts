import * as v from 'valibot'
import type { FieldError } from '../problem/problem.ts'
import { isEventId } from './id.ts'
import { MICROS_PER_DAY, parseInstant } from './time.ts'
import type { Micros } from './time.ts'

/**
 * What an event is, and the only place that says so: HTTP and import both judge by {@link createEventSchema}. What JSON Schema cannot be made
 * of, `json_schema` says for the API's document: right behind the type, in place of all checks that follow it.
 */

export const USER_ID_CHARS_MAX = 256
export const EVENT_TYPE_CHARS_MAX = 200
export const PROPERTIES_BYTES_MAX = 32 * 1024
/** Deeper objects than this are a mistake or an attack; every JSON reader behind us can follow this far. */
export const PROPERTIES_DEPTH_MAX = 32
/** A client's clock may run ahead, but an event of next week is a mistake. */
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
  )
}

/** JSON Schema counts characters as we do. */
const textJson = (chars_max: number) => ({ type: 'string', minLength: 1, maxLength: chars_max })

/** Characters are Unicode code points; a code point takes at most two of the units that `length` counts. */
function fitsChars(s: string, chars_max: number): boolean {
  if (s.length <= chars_max) return true
  return s.length <= chars_max * 2 && [...s].length <= chars_max
}

const USER_ID_INTEGER = 'user_id must be a string or a whole number between -(2^53-1) and 2^53-1'

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
  // "1" and 1 are the same user: CSV knows no difference between them.
  v.transform(String),
  text('user_id', USER_ID_CHARS_MAX),
)

const eventId = v.pipe(
  v.string('event_id must be a UUID'),
  v.metadata({
    json_schema: {
      type: 'string',
      format: 'uuid',
      description: 'One id is stored once, for ever; the first write wins.',
    },
  }),
  v.check(isEventId, 'event_id must be a UUID'),
  v.toLowerCase(),
)

// Not v.record(): it drops keys such as "constructor", and what was sent must be what is stored.
const properties = v.pipe(
  v.optional(v.unknown(), () => ({})),
  v.metadata({
    json_schema: {
      type: 'object',
      default: {},
      description: `At most ${PROPERTIES_BYTES_MAX} bytes of JSON, nested at most ${PROPERTIES_DEPTH_MAX} deep.`,
    },
  }),
  v.check((o) => typeof o === 'object' && o !== null && !Array.isArray(o), 'properties must be an object'),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const fault = propertiesFault(dataset.value, PROPERTIES_DEPTH_MAX)
    if (fault !== null) {
      addIssue({ message: fault })
      return NEVER
    }
    const json = JSON.stringify(dataset.value)
    if (exceedsBytes(json, PROPERTIES_BYTES_MAX)) {
      addIssue({ message: `properties must be at most ${PROPERTIES_BYTES_MAX} bytes of JSON` })
      return NEVER
    }
    return json
  }),
)

/** As UTF-8, of which one of the units that `length` counts takes at most three bytes. */
function exceedsBytes(json: string, bytes_max: number): boolean {
  return json.length * 3 > bytes_max && Buffer.byteLength(json) > bytes_max
}

/** Finds what JSON text cannot carry unchanged to every reader behind us; null where there is nothing. */
function propertiesFault(value: unknown, levels: number): string | null {
  if (typeof value === 'string') {
    return value.isWellFormed() ? null : 'properties must not contain unpaired surrogates'
  }
  if (typeof value === 'number') {
    return Number.isFinite(value) ? null : 'properties must not contain numbers beyond the range of a double'
  }
  if (value === null || typeof value === 'boolean') return null
  // JSON has no such values, but other formats of a body have.
  if (typeof value === 'bigint') return 'properties must not contain whole numbers beyond 2^53-1'
  if (typeof value !== 'object') return 'properties must not contain what JSON cannot hold'
  if (levels === 0) return `properties must be nested at most ${PROPERTIES_DEPTH_MAX} deep`
  for (const key in value) {
    if (!key.isWellFormed()) return 'properties must not contain unpaired surrogates'
    const fault = propertiesFault((value as Record<string, unknown>)[key], levels - 1)
    if (fault !== null) return fault
  }
  return null
}

/**
 * The schema of one event.
 * @param now_us the clock that bounds `occurred_at`
 */
export function createEventSchema(now_us: () => Micros) {
  const occurredAt = v.pipe(
    v.string('occurred_at must be an ISO 8601 time, such as 2025-08-21T06:52:34.123456Z'),
    v.metadata({
      json_schema: {
        type: 'string',
        description: 'ISO 8601, microseconds kept; no offset means UTC. From 1970 to 24 hours ahead of now.',
      },
    }),
    v.transform(parseInstant),
    v.number('occurred_at must be an ISO 8601 time, such as 2025-08-21T06:52:34.123456Z'),
    v.check(
      (at) => at >= 0 && at <= now_us() + AHEAD_OF_NOW_MAX_US,
      'occurred_at must lie between 1970-01-01 and 24 hours from now',
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

/** Judges one value: the event in its stored form, or the first thing wrong with it. */
export function judgeEvent(schema: EventSchema, value: unknown): Verdict {
  const result = v.safeParse(schema, value, { abortEarly: true, abortPipeEarly: true })
  if (result.success) return { event: result.output }
  const issue = result.issues[0]
  const key = issue.path?.[0]?.key
  // A name we do not know is the client's input, and input is never echoed.
  const path = EVENT_FIELDS.find((field) => field === key) ?? ''
  const message = issue.message === 'is missing' ? `${path} is missing` : issue.message
  return { error: { path, message } }
}
