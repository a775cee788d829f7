import { CSV_COLUMNS, headerFault } from '../../../event/csv-header.ts'
import { FORMATS } from '../../../ingest/formats/formats.ts'
import { CODINGS } from '../../../ingest/inflate.ts'
import type { Json } from '../json-schema.ts'
import { jsonBody, refusal } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { BATCH } from './example-events.ts'

/** Bodies that contain events: their formats, and examples of what can be wrong with them. */

/** Body schemas by media type. Formats other than JSON are described in prose. */
export function bodyContent(json: Json): Record<string, Json> {
  const binary = { type: 'string', format: 'binary', description: 'An array of maps, or one map.' }
  return Object.fromEntries(
    [...FORMATS.keys()].map((type): [string, Json] => {
      if (type === 'application/json') return [type, json]
      if (type === 'text/plain')
        return [type, { type: 'string', description: 'JSON, as `navigator.sendBeacon` sends a string.' }]
      if (type === 'application/x-ndjson')
        return [type, { type: 'string', description: 'One event per line.' }]
      if (type !== 'text/csv') return [type, binary]
      const columns = CSV_COLUMNS.map((name) => `\`${name}\``).join(', ')
      return [
        type,
        { type: 'string', description: `A header with the columns ${columns}, one event per row.` },
      ]
    }),
  )
}

/** Examples of invalid bodies, for every operation that takes events. */
export const BODY_MISTAKES: Operation['examples'] = {
  not_json: {
    summary: 'Broken JSON',
    body: { type: 'application/json', text: '[{"event_id":' },
    ...refusal('not_json', 'The body could not be read as JSON.'),
  },
  not_an_array: {
    summary: 'Neither an array nor an event',
    body: jsonBody('app_open'),
    ...refusal('not_an_array', 'Send an array of events, or one event.'),
  },
  not_csv: {
    summary: 'CSV with other columns',
    body: { type: 'text/csv', text: 'user,event\nanna,app_open\n' },
    ...refusal('not_csv', `The body is not a CSV file of events: it ${headerFault(['user', 'event'])}.`),
  },
  not_msgpack: {
    summary: 'Bytes that are not MessagePack',
    body: { type: 'application/msgpack', bytes: Buffer.from([0xc1]) },
    ...refusal('not_msgpack', 'The body could not be read as MessagePack.'),
  },
  damaged_encoding: {
    summary: 'Not compressed as Content-Encoding says',
    headers: { 'content-encoding': 'gzip' },
    body: jsonBody(BATCH),
    ...refusal('damaged_encoding', 'The body is not valid gzip, or is incomplete.'),
  },
  wrong_type: {
    summary: 'An unsupported format',
    body: { type: 'application/xml', text: '<event/>' },
    ...refusal(
      'unsupported_media_type',
      `Content-Type must be one of ${[...FORMATS.keys()].join(', ')}, with text in UTF-8.`,
    ),
  },
}

export const ENCODING: Json = {
  name: 'Content-Encoding',
  in: 'header',
  schema: { enum: ['identity', ...CODINGS] },
  description: 'Compression of the body.',
}
