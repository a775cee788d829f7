import { isUtf8 } from 'node:buffer'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'
import { BODY_DEPTH_MAX, NestedTooDeep, parseJson } from './nesting.ts'

const NEWLINE = 0x0a
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]

/** `application/x-ndjson`: one event a line; blank lines do not count. */
export function readNdjson(body: Uint8Array, events_max: number): Batch {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const batch: unknown[] = []
  let line = 1
  let at = BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0
  while (at < bytes.length) {
    const byte = bytes[at]!
    if (isBlank(byte)) {
      if (byte === NEWLINE) line += 1
      at += 1
      continue
    }
    if (batch.length === events_max) throw tooManyEvents(events_max)
    const newline = bytes.indexOf(NEWLINE, at)
    const end = newline === -1 ? bytes.length : newline
    batch.push(readLine(bytes.subarray(at, end), line))
    at = end
  }
  return batch
}

function readLine(bytes: Buffer, line: number): unknown {
  const text = bytes.toString('utf8')
  if (!isUtf8(bytes)) return new Unreadable(text, `line ${line} is not valid UTF-8`)
  try {
    return parseJson(text, BODY_DEPTH_MAX)
  } catch (error) {
    if (error instanceof NestedTooDeep) return new Unreadable(text, `line ${line} is nested too deep`)
    return new Unreadable(text, `line ${line} is not JSON`)
  }
}

/** The white space of JSON. */
function isBlank(byte: number): boolean {
  return byte === NEWLINE || byte === 0x20 || byte === 0x0d || byte === 0x09
}
