import type { Batch } from './batch.ts'
import { readCsv } from './csv.ts'
import { readJson } from './json.ts'
import { readMsgpack } from './msgpack.ts'
import { readNdjson } from './ndjson.ts'

/**
 * Parses a whole body.
 * @throws {Problem} if the body cannot be parsed at all, or has more than `events_max` events
 */
export type ReadBatch = (bytes: Uint8Array, events_max: number) => Batch

/** Parsers by media type. */
export const FORMATS: ReadonlyMap<string, ReadBatch> = new Map([
  ['application/json', readJson],
  // What navigator.sendBeacon calls a string. Nothing else is sent as plain text, so it needs no guess.
  ['text/plain', readJson],
  ['application/x-ndjson', readNdjson],
  ['text/csv', readCsv],
  ['application/msgpack', readMsgpack],
  ['application/x-msgpack', readMsgpack],
  ['application/vnd.msgpack', readMsgpack],
])

/**
 * Returns the media type of a Content-Type;
 * null if it is not in {@link FORMATS} or its charset is not UTF-8.
 */
export function mediaTypeOf(content_type: string): string | null {
  const [type, ...parameters] = content_type.toLowerCase().split(';')
  const charset = parameters.map((p) => p.trim()).find((p) => p.startsWith('charset='))
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) return null
  const media_type = type!.trim()
  return FORMATS.has(media_type) ? media_type : null
}
