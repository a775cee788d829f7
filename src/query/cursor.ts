import { createHash } from 'node:crypto'
import { formatEventId, ID_BYTES, isEventId, writeEventId } from '../event/id.ts'
import type { Day } from '../event/time.ts'
import { printFilter } from '../filter/print.ts'
import type { Filter } from '../filter/tree.ts'
import type { EventsQuestion, Position } from './question.ts'

/**
 * The cursor of the next page, in base64url: position (time, id), days, and a fingerprint of these
 * and the filter. It contains the days because a request may omit them, and the default range
 * moves every day. The fingerprint is not a signature: it only detects use with other filters by
 * mistake. A forged cursor gives access to nothing that the same client could not query directly.
 */

const AT_BYTES = 8
const DAY_BYTES = 4
const POSITION_BYTES = AT_BYTES + ID_BYTES + 2 * DAY_BYTES
const FINGERPRINT_BYTES = 16
/** Divisible by three, so that base64url has no unused bits. */
const CURSOR_BYTES = POSITION_BYTES + FINGERPRINT_BYTES
export const CURSOR_CHARS = (CURSOR_BYTES / 3) * 4

export interface Cursor {
  after: Position
  from: Day
  to: Day
  bytes: Buffer
}

/** The part of a question that a cursor is bound to. */
type Filters = Pick<EventsQuestion, 'from' | 'to' | 'filter'>

export function writeCursor(after: Position, { from, to, filter }: Filters): string {
  const bytes = Buffer.alloc(CURSOR_BYTES)
  bytes.writeBigUInt64BE(BigInt(after.at_us), 0)
  if (!isEventId(after.event_id)) throw new Error('a cursor needs an event id')
  writeEventId(after.event_id, bytes, AT_BYTES)
  bytes.writeUInt32BE(from, AT_BYTES + ID_BYTES)
  bytes.writeUInt32BE(to, AT_BYTES + ID_BYTES + DAY_BYTES)
  fingerprintOf(bytes, filter).copy(bytes, POSITION_BYTES)
  return bytes.toString('base64url')
}

/** Decodes a cursor; null if the text has another form. {@link belongsTo} checks its filters. */
export function readCursor(text: string): Cursor | null {
  if (text.length !== CURSOR_CHARS || !/^[A-Za-z0-9_-]+$/.test(text)) return null
  const bytes = Buffer.from(text, 'base64url')
  return {
    after: { at_us: Number(bytes.readBigUInt64BE(0)), event_id: formatEventId(bytes, AT_BYTES) },
    from: bytes.readUInt32BE(AT_BYTES + ID_BYTES),
    to: bytes.readUInt32BE(AT_BYTES + ID_BYTES + DAY_BYTES),
    bytes,
  }
}

/** Whether a cursor was made for these filters and is unchanged. */
export function belongsTo(cursor: Cursor, { from, to, filter }: Filters): boolean {
  return (
    cursor.from === from &&
    cursor.to === to &&
    fingerprintOf(cursor.bytes, filter).equals(cursor.bytes.subarray(POSITION_BYTES))
  )
}

function fingerprintOf(bytes: Buffer, filter: Filter | null): Buffer {
  return createHash('sha256')
    .update(bytes.subarray(0, POSITION_BYTES))
    .update(filter === null ? '' : canonicalOf(filter))
    .digest()
    .subarray(0, FINGERPRINT_BYTES)
}

/** The order of what `and`, `or` and `in` combine has no meaning, so it is the same text for all orders. */
function canonicalOf(filter: Filter): string {
  if ('and' in filter) return `(${filter.and.map(canonicalOf).toSorted().join(' and ')})`
  if ('or' in filter) return `(${filter.or.map(canonicalOf).toSorted().join(' or ')})`
  if ('not' in filter) return `not ${canonicalOf(filter.not)}`
  return printFilter({ ...filter, values: filter.values.toSorted((a, b) => (a.text < b.text ? -1 : 1)) })
}
