import { createHash } from 'node:crypto'

/** The stored form of a set of numbers: the differences of the sorted numbers as LEB128, about one byte each. */

/** In the place of an event type, which is never empty: all events of a file. */
export const ALL_EVENTS = ''

const MORE = 0x80
const BITS = 7

/** @param sorted growing numbers below 2^31 */
export function encodeSet(sorted: ArrayLike<number>): Buffer {
  const bytes = Buffer.allocUnsafe(sorted.length * 5)
  let at = 0
  let before = 0
  for (let i = 0; i < sorted.length; i += 1) {
    let difference = sorted[i]! - before
    before = sorted[i]!
    while (difference >= MORE) {
      bytes[at] = (difference & (MORE - 1)) | MORE
      at += 1
      difference >>>= BITS
    }
    bytes[at] = difference
    at += 1
  }
  return Buffer.from(bytes.subarray(0, at))
}

/** @param count how many numbers it has */
export function decodeSet(bytes: Uint8Array, count: number): Uint32Array {
  const numbers = new Uint32Array(count)
  let at = 0
  let before = 0
  for (let i = 0; i < count; i += 1) {
    let shift = 0
    let byte = bytes[at]!
    let difference = byte & (MORE - 1)
    while (byte >= MORE) {
      at += 1
      byte = bytes[at]!
      shift += BITS
      difference |= (byte & (MORE - 1)) << shift
    }
    at += 1
    before += difference
    numbers[i] = before
  }
  return numbers
}

/** What tells that a stored set is what was written. */
export function checksumOf(set: {
  path: string
  event_type: string
  events: number
  users: number
  uids: Uint8Array
}): string {
  return createHash('sha256')
    .update(`${set.path}\0${set.event_type}\0${set.events}\0${set.users}\0`)
    .update(set.uids)
    .digest('hex')
}
