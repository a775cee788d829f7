import { createHash } from 'node:crypto'
import { formatEventId, ID_BYTES, isEventId, writeEventId } from '../event/id.ts'
import type { Day } from '../event/time.ts'
import type { EventsQuestion, Position, Segment } from './question.ts'

/**
 * Where the next page begins, as opaque text: base64url of place (time, id), days and a fingerprint of all these and the segments. The days
 * stand in it because they may have been left out, and what is meant then is another range tomorrow.
 * The fingerprint is no secret: it keeps a cursor from being used with other filters by mistake. Whoever forges one reads nothing else than
 * with a question of their own.
 */

const AT_BYTES = 8
const DAY_BYTES = 4
const PLACE_BYTES = AT_BYTES + ID_BYTES + 2 * DAY_BYTES
const FINGERPRINT_BYTES = 16
/** Divisible by three, so that no bit of the text is without meaning. */
const CURSOR_BYTES = PLACE_BYTES + FINGERPRINT_BYTES
export const CURSOR_CHARS = (CURSOR_BYTES / 3) * 4

export interface Cursor {
  after: Position
  from: Day
  to: Day
  bytes: Buffer
}

/** What a cursor was made for. */
type Filters = Pick<EventsQuestion, 'from' | 'to' | 'segments'>

export function writeCursor(after: Position, { from, to, segments }: Filters): string {
  const bytes = Buffer.alloc(CURSOR_BYTES)
  bytes.writeBigUInt64BE(BigInt(after.at_us), 0)
  if (!isEventId(after.event_id)) throw new Error('a cursor needs an event id')
  writeEventId(after.event_id, bytes, AT_BYTES)
  bytes.writeUInt32BE(from, AT_BYTES + ID_BYTES)
  bytes.writeUInt32BE(to, AT_BYTES + ID_BYTES + DAY_BYTES)
  fingerprintOf(bytes, segments).copy(bytes, PLACE_BYTES)
  return bytes.toString('base64url')
}

/** Reads a cursor; null where the text cannot be one. Whose it is, {@link belongsTo} tells. */
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

/** Whether a cursor was made for these filters and has not been changed since. */
export function belongsTo(cursor: Cursor, { from, to, segments }: Filters): boolean {
  return (
    cursor.from === from &&
    cursor.to === to &&
    fingerprintOf(cursor.bytes, segments).equals(cursor.bytes.subarray(PLACE_BYTES))
  )
}

/** The order of segments, and of the values in one, changes nothing of what they mean. */
function fingerprintOf(bytes: Buffer, segments: readonly Segment[]): Buffer {
  const filters = segments.map(({ field, values }) => JSON.stringify([field, values.toSorted()])).toSorted()
  return createHash('sha256')
    .update(bytes.subarray(0, PLACE_BYTES))
    .update(JSON.stringify(filters))
    .digest()
    .subarray(0, FINGERPRINT_BYTES)
}
