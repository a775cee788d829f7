import { SCOPES } from '../../auth/scope.ts'
import { createEventSchema } from '../../event/event.ts'
import { LETTERS_PER_REQUEST_MAX } from '../../dead-letters/letter.ts'
import type { EVENT_FIELDS } from '../../event/event.ts'
import { ERRORS_LISTED_MAX } from '../../ingest/judge.ts'
import { listOf, objectOf } from '../../questions/parts/json-schema.ts'
import { QUESTIONS } from '../../questions/table.ts'
import { jsonSchemaOf } from './json-schema.ts'
import type { Json } from './json-schema.ts'

/** Schemas of events, replies and errors (`components/schemas`). */

const count = { type: 'integer', minimum: 0 }
const text = { type: 'string' }
const day = { type: 'string', format: 'date' }
const instant = {
  type: 'string',
  format: 'date-time',
  description: 'UTC, with six decimals.',
}
const cursor = { type: ['string', 'null'], description: 'Cursor of the next page; null on the last page.' }

export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` })

const counts = { received: count, accepted: count, duplicates: count, rejected: count }
const errors = { ...listOf(ref('FieldError')), maxItems: ERRORS_LISTED_MAX }
const events_omitted = {
  type: 'integer',
  minimum: 1,
  description: `Rejected events beyond the first ${LETTERS_PER_REQUEST_MAX}; one dead letter counts them.`,
}
const errors_truncated = { const: true, description: `There are more than ${ERRORS_LISTED_MAX} errors.` }

/** The answers of all questions, each with what was read for it. */
const ANSWERS = Object.fromEntries(
  QUESTIONS.map(({ schema: { name, of } }) => {
    const { properties, required } = of as { properties: Json; required: readonly string[] }
    return [
      name,
      { ...of, properties: { ...properties, meta: ref('Meta') }, required: [...required, 'meta'] },
    ]
  }),
)

const letter = {
  id: { type: 'integer', minimum: 1 },
  received_at: instant,
  source: {
    ...text,
    description: 'Sender: `key/3`, `user/7`, or its network address while the store has no credentials.',
  },
  path: { ...text, description: 'The invalid field; empty if the error concerns no single field.' },
  message: text,
  event_id: { type: ['string', 'null'], format: 'uuid' },
  is_cut: { type: 'boolean', description: 'The event was truncated.' },
  events_omitted: {
    ...count,
    description: `Rejected events of one request beyond the first ${LETTERS_PER_REQUEST_MAX}, which this letter only counts; 0 if it holds an event.`,
  },
}

const explanation = objectOf({
  type: { type: 'string', format: 'uri-reference' },
  title: text,
  status: { type: 'integer', minimum: 400, maximum: 599 },
  meaning: { ...text, description: 'What the problem means.' },
  remedy: { ...text, description: 'What to do about it.' },
})

/** Never called: JSON Schema takes the metadata of the schema in place of its time check. */
const anyTime = () => 0

export const SCHEMAS = {
  Event: jsonSchemaOf(createEventSchema(anyTime)),
  StoredEvent: {
    ...objectOf({
      event_id: { type: 'string', format: 'uuid' },
      occurred_at: instant,
      user_id: text,
      event_type: text,
      properties: { type: 'object' },
    } satisfies Record<(typeof EVENT_FIELDS)[number], Json>),
    description: 'An event as it is stored.',
  },
  Problem: {
    ...objectOf(
      {
        type: { type: 'string', format: 'uri-reference' },
        title: text,
        status: { type: 'integer', minimum: 400, maximum: 599 },
        detail: text,
        errors,
        ...counts,
        errors_truncated,
        events_omitted,
      },
      ['errors', ...Object.keys(counts), 'errors_truncated', 'events_omitted'],
    ),
    description:
      'Problem document (RFC 9457). `errors` names the invalid fields, never their values. A rejected batch also has counts.',
  },
  Explanation: explanation,
  Explanations: objectOf({ data: listOf(ref('Explanation')) }),
  FieldError: objectOf(
    {
      index: { ...count, description: 'Position of the event in its batch, from 0.' },
      event_id: { type: 'string', format: 'uuid' },
      path: {
        ...text,
        description: 'The field, parameter or header; empty if the error concerns none or several.',
      },
      message: text,
    },
    ['index', 'event_id'],
  ),
  IngestReply: objectOf({ ...counts, errors, errors_truncated, events_omitted }, [
    'errors_truncated',
    'events_omitted',
  ]),
  Meta: {
    ...objectOf(
      {
        hot_events: count,
        cold_events: count,
        cold_files: count,
        answered_from: {
          enum: ['sets', 'events'],
          description:
            'Whether the events were read, or the sets of users and the counts that each day keeps of them.',
        },
        took_ms: { type: 'number', minimum: 0 },
      },
      ['answered_from'],
    ),
    description: 'What the answer is about, and how long it took.',
  },
  EventsPage: objectOf({ data: listOf(ref('StoredEvent')), next_cursor: cursor, meta: ref('Meta') }),
  ...ANSWERS,
  DeadLetters: objectOf({ data: listOf(objectOf(letter)), next_cursor: cursor }),
  DeadLetter: objectOf({
    ...letter,
    event: {
      description: 'The event as it was sent; a string if it was not JSON; null if the letter only counts.',
    },
  }),
  Tiers: objectOf({
    hot: objectOf({ events: count, days: count }),
    cold: objectOf({
      events: count,
      files: count,
      bytes: count,
      days: listOf(objectOf({ day, events: count, files: count, bytes: count, sealed_through: count })),
    }),
  }),
  Token: objectOf({
    token: text,
    token_type: { const: 'Bearer' },
    expires_in_s: count,
    scope: { ...text, description: `One or more of ${SCOPES.join(', ')}, separated by spaces.` },
  }),
  Registered: objectOf({ username: text, scope: { enum: SCOPES } }),
  Addresses: objectOf({ service: text, post: listOf(text), get: listOf(text) }),
  Ready: objectOf(
    {
      status: { const: 'ready' },
      damage: listOf(objectOf({ path: text, day: { type: ['string', 'null'] }, what: text })),
    },
    ['damage'],
  ),
} as const satisfies Record<string, Json>
