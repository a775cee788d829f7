import { isUtf8 } from 'node:buffer'
import { PROPERTIES_BYTES_MAX } from '../../event/event.ts'
import { Problem } from '../../problem/problem.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'
import { batchOf } from './json.ts'
import { BODY_DEPTH_MAX } from '../../event/nesting.ts'

/**
 * Parses `application/msgpack`: an array of maps, or one map, without binary values and extension types.
 *
 * It does not use @msgpack/msgpack (which the tests use to encode), because that package allocates arrays
 * at their announced size before it has read an element and has no depth limit, so a few bytes can use all
 * memory. It also accepts invalid UTF-8 and rejects the key `__proto__`, which is data like any other key.
 */

/**
 * Each value takes at least two bytes of JSON,
 * so an event with more values exceeds the limit of its properties.
 */
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

/** Rejects the whole body, because after malformed data the start of the next event is unknown. */
function notMsgpack(): Problem {
  return new Problem('not_msgpack', 'The body could not be read as MessagePack.')
}

/** An event is well-formed MessagePack but invalid. The reader skips it and continues. */
class EventFault extends Error {}

/** Size of the length field that follows the first byte of a type. */
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

  /**
   * Reads the head of an array and returns its size.
   * If the next value is not an array, reads nothing and returns null.
   */
  arraySize(): number | null {
    const head = this.#bytes[this.#at]
    if (head === undefined || ((head & 0xf0) !== 0x90 && head !== 0xdc && head !== 0xdd)) return null
    this.#at += 1
    return head < 0xa0 ? head & 0x0f : this.#uint(head === 0xdc ? 2 : 4)
  }

  /** Reads the next value; {@link Unreadable} if it cannot be an event. */
  event(): unknown {
    const start = this.#at
    this.#values = 0
    try {
      return this.#value(0, true)
    } catch (error) {
      if (!(error instanceof EventFault)) throw error
      this.#at = start
      this.#value(0, false)
      // The bytes are not text, so they are kept as base64.
      return new Unreadable(this.#bytes.toString('base64', start, this.#at), error.message)
    }
  }

  /** @param keep false to skip the value */
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

  /** The array grows with its elements, because the announced size cannot be trusted. */
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
    if (keep) throw new EventFault(`an event must not contain ${what}`)
    return null
  }

  #uint(length: 1 | 2 | 4): number {
    return this.#bytes.readUIntBE(this.#take(length), length)
  }

  /** Advances by `length` bytes. Returns the position before. */
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

/** Keeps an integer beyond the safe range as a bigint, which the schema rejects. */
function asNumber(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** Sets `map[key]`. A plain assignment to `__proto__` would set the prototype. */
function define(map: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true })
  } else map[key] = value
}
