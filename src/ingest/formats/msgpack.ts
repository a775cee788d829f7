import { isUtf8 } from 'node:buffer'
import { PROPERTIES_BYTES_MAX } from '../../event/event.ts'
import { Problem } from '../../problem/problem.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'
import { batchOf } from './json.ts'
import { BODY_DEPTH_MAX } from './nesting.ts'

/**
 * `application/msgpack`: an array of maps, or one map; no binary values and no extension types.
 *
 * Read here and not by @msgpack/msgpack (which the tests write with): that one allocates an array in the size it announces before it has seen
 * an element, takes broken UTF-8, and has no depth limit, so that a few bytes take all memory; and it refuses `__proto__`, which is data like any other key.
 */

/** More values than this cannot be written in the JSON that properties may have: each takes two bytes of it. */
const VALUES_PER_EVENT_MAX = PROPERTIES_BYTES_MAX

export function readMsgpack(bytes: Uint8Array, events_max: number): Batch {
  const reader = new Reader(bytes)
  const count = reader.arraySize()
  const batch = count === null ? batchOf(reader.event()) : readEvents(reader, count, events_max)
  if (!reader.done) throw notMsgpack()
  return batch
}

function readEvents(reader: Reader, count: number, events_max: number): unknown[] {
  if (count > events_max) throw tooManyEvents(events_max)
  const batch: unknown[] = []
  for (let i = 0; i < count; i += 1) batch.push(reader.event())
  return batch
}

/** Damage leaves no way to tell where the next event begins. */
function notMsgpack(): Problem {
  return new Problem('not_msgpack', 'The body could not be read as MessagePack.')
}

/** One event has what no event may have; the reader goes on behind it. */
class EventFault extends Error {}

/** Lengths of the types whose first byte is followed by a length of 1, 2 or 4 bytes. */
const LENGTH_BYTES = [1, 2, 4] as const

class Reader {
  readonly #bytes: Buffer
  #at = 0
  #values = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The size of the array that begins here, behind its head; null and nothing read where another value begins. */
  arraySize(): number | null {
    const head = this.#bytes[this.#at]
    if (head === undefined || ((head & 0xf0) !== 0x90 && head !== 0xdc && head !== 0xdd)) return null
    this.#at += 1
    return head < 0xa0 ? head & 0x0f : this.#uint(head === 0xdc ? 2 : 4)
  }

  /** The value here, or {@link Unreadable}. */
  event(): unknown {
    const start = this.#at
    this.#values = 0
    try {
      return this.#value(0, true)
    } catch (error) {
      if (!(error instanceof EventFault)) throw error
      this.#at = start
      this.#value(0, false)
      // No text by itself; in base64 it is whole.
      return new Unreadable(this.#bytes.toString('base64', start, this.#at), error.message)
    }
  }

  /** @param keep false to pass over the value */
  #value(depth: number, keep: boolean): unknown {
    if (keep) {
      this.#values += 1
      if (this.#values > VALUES_PER_EVENT_MAX) {
        throw new EventFault(`an event may have at most ${VALUES_PER_EVENT_MAX} values`)
      }
    }
    const head = this.#uint(1)
    if (head < 0x80) return head
    if (head < 0x90) return this.#map(head & 0x0f, depth, keep)
    if (head < 0xa0) return this.#array(head & 0x0f, depth, keep)
    if (head < 0xc0) return this.#string(head & 0x1f, keep)
    if (head >= 0xe0) return head - 0x100
    return this.#long(head, depth, keep)
  }

  #long(head: number, depth: number, keep: boolean): unknown {
    switch (head) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#foreign(this.#uint(LENGTH_BYTES[head - 0xc4]!), keep, 'binary values')
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#foreign(this.#uint(LENGTH_BYTES[head - 0xc7]!) + 1, keep, 'extension types')
      case 0xca:
        return this.#bytes.readFloatBE(this.#take(4))
      case 0xcb:
        return this.#bytes.readDoubleBE(this.#take(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(LENGTH_BYTES[head - 0xcc]!)
      case 0xcf:
        return asNumber(this.#bytes.readBigUInt64BE(this.#take(8)))
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const length = LENGTH_BYTES[head - 0xd0]!
        return this.#bytes.readIntBE(this.#take(length), length)
      }
      case 0xd3:
        return asNumber(this.#bytes.readBigInt64BE(this.#take(8)))
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#foreign(1 + 2 ** (head - 0xd4), keep, 'extension types')
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#uint(LENGTH_BYTES[head - 0xd9]!), keep)
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(head === 0xdc ? 2 : 4), depth, keep)
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(head === 0xde ? 2 : 4), depth, keep)
      default:
        throw notMsgpack()
    }
  }

  /** Grows as elements come: the announced size is only a claim. */
  #array(size: number, depth: number, keep: boolean): unknown[] {
    refuseDepth(depth)
    const array: unknown[] = []
    for (let i = 0; i < size; i += 1) {
      const value = this.#value(depth + 1, keep)
      if (keep) array.push(value)
    }
    return array
  }

  #map(size: number, depth: number, keep: boolean): Record<string, unknown> {
    refuseDepth(depth)
    const map: Record<string, unknown> = {}
    for (let i = 0; i < size; i += 1) {
      const key = this.#value(depth + 1, keep)
      if (keep && typeof key !== 'string') throw new EventFault('the keys of a map must be strings')
      const value = this.#value(depth + 1, keep)
      if (keep) define(map, key as string, value)
    }
    return map
  }

  #string(length: number, keep: boolean): string {
    const start = this.#take(length)
    if (!keep) return ''
    if (!isUtf8(this.#bytes.subarray(start, this.#at))) throw new EventFault('a string is not valid UTF-8')
    return this.#bytes.toString('utf8', start, this.#at)
  }

  #foreign(length: number, keep: boolean, what: string): null {
    this.#take(length)
    if (keep) throw new EventFault(`an event must not hold ${what}`)
    return null
  }

  #uint(length: 1 | 2 | 4): number {
    return this.#bytes.readUIntBE(this.#take(length), length)
  }

  /** Moves on. @returns where the bytes that were passed begin */
  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw notMsgpack()
    this.#at = start + length
    return start
  }
}

function refuseDepth(depth: number): void {
  if (depth < BODY_DEPTH_MAX) return
  throw new Problem('nested_too_deep', `An event is nested deeper than ${BODY_DEPTH_MAX} levels.`)
}

/** A whole number that a double cannot hold stays what it is, for the schema to refuse. */
function asNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** `map[key] = value` with the key `__proto__` would set the prototype. */
function define(map: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
  } else map[key] = value
}
