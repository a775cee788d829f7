import { gzipSync } from 'node:zlib'
import type { Config } from '../../../config.ts'
import { CSV_COLUMNS } from '../../../event/csv-header.ts'
import { IDEMPOTENCY_KEY_CHARS_MAX } from '../../../ingest/keys-in-flight.ts'
import { jsonBody, jsonReply, refusal } from '../operation.ts'
import type { Operation, RequestBody } from '../operation.ts'
import { inQuery } from '../parameters.ts'
import { listOf } from '../../../questions/parts/json-schema.ts'
import { ref } from '../schemas.ts'
import { WHEN_WRITING } from '../situations.ts'
import { BODY_MISTAKES, bodyContent, ENCODING } from './event-bodies.ts'
import {
  BAD_EVENT,
  BATCH,
  eventNumber,
  GOOD_EVENT,
  INVALID_TIME,
  REFUSED,
  ONE_EVENT,
  textLines,
} from './example-events.ts'

/** `POST /events`. */

const csv = textLines([
  CSV_COLUMNS.join(','),
  `${eventNumber(5)},2025-08-01T09:30:00Z,dora,app_open,"{""country"":""SE""}"`,
])
const ndjson = textLines([3, 4].map((n) => JSON.stringify({ ...ONE_EVENT, event_id: eventNumber(n) })))

/** Encodes a string as MessagePack's str 8. */
const packText = (text: string) => Buffer.concat([Buffer.from([0xd9, text.length]), Buffer.from(text)])

/** Encodes one event as MessagePack: 0x91 is an array of 1, 0x84 a map of 4. */
function msgpack(): Uint8Array {
  const entries = [
    [packText('event_id'), packText(eventNumber(6))],
    [packText('occurred_at'), packText('2025-08-01T10:00:00Z')],
    [packText('user_id'), Buffer.from([7])],
    [packText('event_type'), packText('app_open')],
  ]
  return Buffer.concat([Buffer.from([0x91, 0x84]), ...entries.flat()])
}

const compressed: RequestBody = {
  type: 'application/json',
  bytes: gzipSync(JSON.stringify([{ ...ONE_EVENT, event_id: eventNumber(7) }])),
}
const keyed = (n: number) => ({
  headers: { 'idempotency-key': 'example-batch-1' },
  body: jsonBody([{ ...ONE_EVENT, event_id: eventNumber(n) }]),
})

const stored = (accepted: number) =>
  jsonReply({ received: accepted, accepted, duplicates: 0, rejected: 0, errors: [] })
const one_rejected = { received: 2, rejected: 1, errors: [{ index: 1, ...INVALID_TIME }] }

export function postEvents(limits: Config): Operation {
  const { EVENTS_PER_REQUEST_MAX, BODY_BYTES_MAX, BODY_INFLATED_BYTES_MAX } = limits
  return {
    id: 'postEvents',
    tag: 'events',
    summary: 'Store events',
    description:
      `At most ${EVENTS_PER_REQUEST_MAX} events and ${BODY_BYTES_MAX} bytes (${BODY_INFLATED_BYTES_MAX} decompressed) per request. ` +
      'The reply is sent after the events are committed and fsynced. Invalid events do not affect valid ones; they are kept as dead letters.',
    parameters: [
      inQuery(
        'strict',
        { type: 'boolean', default: false },
        false,
        'Reject the whole batch if one event is invalid.',
      ),
      {
        name: 'Idempotency-Key',
        in: 'header',
        schema: {
          type: 'string',
          minLength: 1,
          maxLength: IDEMPOTENCY_KEY_CHARS_MAX,
          pattern: '^[\\x20-\\x7e]+$',
        },
        description:
          'Use a new key for every batch. A repeated request with the same key gets the same reply.',
      },
      ENCODING,
    ],
    body: {
      required: true,
      content: bodyContent({
        // Stricter than the service, which checks each event by itself and accepts a batch with invalid ones.
        anyOf: [ref('Event'), { ...listOf(ref('Event')), maxItems: EVENTS_PER_REQUEST_MAX }],
      }),
    },
    replies: {
      200: {
        description: 'The valid events are stored; `errors` lists the invalid ones.',
        content: { 'application/json': ref('IngestReply') },
        headers: ['Idempotency-Replayed'],
      },
    },
    problems: [
      'nested_too_deep',
      'idempotency_key_in_use',
      'body_too_large',
      'too_many_events',
      'validation_timeout',
      'disk_full',
      ...WHEN_WRITING,
    ],
    examples: {
      batch: { summary: 'A batch', body: jsonBody(BATCH), ...stored(2) },
      one_event: { summary: 'One event instead of an array', body: jsonBody(ONE_EVENT), ...stored(1) },
      ndjson: {
        summary: 'NDJSON, one event per line',
        body: { type: 'application/x-ndjson', text: ndjson },
        ...stored(2),
      },
      csv: { summary: 'CSV', body: { type: 'text/csv', text: csv }, ...stored(1) },
      msgpack: {
        summary: 'MessagePack',
        body: { type: 'application/msgpack', bytes: msgpack() },
        ...stored(1),
      },
      gzip: {
        summary: 'Compressed JSON',
        headers: { 'content-encoding': 'gzip' },
        body: compressed,
        ...stored(1),
      },
      again: {
        summary: 'Events that are already stored',
        body: jsonBody(BATCH),
        ...jsonReply({ received: 2, accepted: 0, duplicates: 2, rejected: 0, errors: [] }),
      },
      partly_invalid: {
        summary: 'One event is invalid, the other is stored',
        body: jsonBody([GOOD_EVENT, BAD_EVENT]),
        ...jsonReply({ ...one_rejected, accepted: 1, duplicates: 0 }),
      },
      unreadable_line: {
        summary: 'A line that is not JSON, and an event that is already stored',
        body: { type: 'application/x-ndjson', text: `${ndjson.split('\n')[0]}\napp_open\n` },
        ...jsonReply({
          received: 2,
          accepted: 0,
          duplicates: 1,
          rejected: 1,
          errors: [{ index: 1, path: '', message: 'line 2 is not JSON' }],
        }),
      },
      with_key: { summary: 'With an Idempotency-Key', ...keyed(8), ...stored(1) },
      same_key_again: { summary: 'The same request again', ...keyed(8), ...stored(1) },
      ...BODY_MISTAKES,
      misspelt_parameter: {
        summary: 'An unknown parameter',
        path: '/events?stirct=true',
        body: jsonBody(BATCH),
        ...refusal('invalid_parameter', 'the only parameter is strict', {
          errors: [{ path: '', message: 'the only parameter is strict' }],
        }),
      },
      invalid_key: {
        summary: 'An Idempotency-Key with a double quote in it',
        headers: { 'idempotency-key': 'a"b' },
        body: jsonBody(BATCH),
        ...refusal(
          'invalid_header',
          `Idempotency-Key must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters, with or without double quotes around them.`,
          { errors: [{ path: 'Idempotency-Key', message: 'must be visible ASCII characters' }] },
        ),
      },
      strict: {
        summary: 'strict=true: one event is invalid, nothing is stored',
        path: '/events?strict=true',
        body: jsonBody([GOOD_EVENT, BAD_EVENT]),
        ...refusal('invalid_events', '1 of 2 events are invalid; nothing was stored.', {
          ...one_rejected,
          accepted: 0,
          duplicates: 0,
        }),
      },
      all_invalid: {
        summary: 'No event is valid',
        body: jsonBody([BAD_EVENT]),
        ...REFUSED,
      },
      key_reused: {
        summary: 'The Idempotency-Key of another batch',
        ...keyed(9),
        ...refusal('idempotency_key_reused', 'Choose a new key for every batch.'),
      },
    },
  }
}
