import type { Batch } from './batch.ts'
import { readCsv } from './csv.ts'
import { readJson } from './json.ts'
import { readMsgpack } from './msgpack.ts'
import { readNdjson } from './ndjson.ts'

/**
 * Reads a whole body.
 * @throws {Problem} where nothing of it can be read, or it has more than `events_max` events
 */
export type ReadBatch = (bytes: Uint8Array, events_max: number) => Batch

/** The formats of a body, by media type. What comes out of them is judged in one place, whatever it came in. */
export const FORMATS: ReadonlyMap<string, ReadBatch> = new Map([
  ['application/json', readJson],
  ['application/x-ndjson', readNdjson],
  ['text/csv', readCsv],
  ['application/msgpack', readMsgpack],
  ['application/x-msgpack', readMsgpack],
  ['application/vnd.msgpack', readMsgpack],
])

/** The media type that a Content-Type names, if it is one of {@link FORMATS}, or null. Text is UTF-8 and nothing else. */
export function mediaTypeOf(content_type: string): string | null {
  const [type, ...parameters] = content_type.toLowerCase().split(';')
  const charset = parameters.map((p) => p.trim()).find((p) => p.startsWith('charset='))
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) return null
  const media_type = type!.trim()
  return FORMATS.has(media_type) ? media_type : null
}
