import { isUtf8 } from 'node:buffer'
import { PROPERTIES_BYTES_MAX } from '../../event/event.ts'
import { define } from '../../event/json.ts'
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

/** Size of the length field that follows the first byte of a type. */
const LENGTH_BYTES = [1, 2, 4] as const

class Reader {
  readonly #bytes: Buffer
  #at = 0
  #values = 0
  /** Why the event at hand is invalid although it is well-formed. Its rest is skipped, so that the next one can be read. */
  #fault: string | null = null

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
    this.#fault = null
    const value = this.#value(0)
    if (this.#fault === null) return value
    // The bytes are not text, so they are kept as base64.
    return new Unreadable(this.#bytes.toString('base64', start, this.#at), this.#fault)
  }

  /** Reads the next value; once the event has a fault, only skips it. */
  #value(depth: number): unknown {
    this.#values += 1
    if (this.#values > VALUES_PER_EVENT_MAX) {
      this.#fault ??= `an event may have at most ${VALUES_PER_EVENT_MAX} values`
    }
    const head = this.#uint(1)
    if (head < 0x80) return head
    if (head < 0x90) return this.#map(head & 0x0f, depth)
    if (head < 0xa0) return this.#array(head & 0x0f, depth)
    if (head < 0xc0) return this.#string(head & 0x1f)
    if (head >= 0xe0) return head - 0x100
    return this.#long(head, depth)
  }

  #long(head: number, depth: number): unknown {
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
        return this.#foreign(this.#uint(LENGTH_BYTES[head - 0xc4]!), 'binary values')
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#foreign(this.#uint(LENGTH_BYTES[head - 0xc7]!) + 1, 'extension types')
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
        return this.#foreign(1 + 2 ** (head - 0xd4), 'extension types')
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#uint(LENGTH_BYTES[head - 0xd9]!))
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(head === 0xdc ? 2 : 4), depth)
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(head === 0xde ? 2 : 4), depth)
      default:
        throw notMsgpack()
    }
  }

  /** The array grows with its elements, because the announced size cannot be trusted. */
  #array(size: number, depth: number): unknown[] {
    refuseDepth(depth)
    const array: unknown[] = []
    for (let i = 0; i < size; i += 1) {
      const value = this.#value(depth + 1)
      if (this.#fault === null) array.push(value)
    }
    return array
  }

  #map(size: number, depth: number): Record<string, unknown> {
    refuseDepth(depth)
    const map: Record<string, unknown> = {}
    for (let i = 0; i < size; i += 1) {
      const key = this.#value(depth + 1)
      if (typeof key !== 'string') this.#fault ??= 'the keys of a map must be strings'
      const value = this.#value(depth + 1)
      if (this.#fault === null) define(map, key as string, value)
    }
    return map
  }

  #string(length: number): string {
    const start = this.#take(length)
    if (this.#fault !== null) return ''
    if (isUtf8(this.#bytes.subarray(start, this.#at))) return this.#bytes.toString('utf8', start, this.#at)
    this.#fault = 'a string is not valid UTF-8'
    return ''
  }

  #foreign(length: number, what: string): null {
    this.#take(length)
    this.#fault ??= `an event must not contain ${what}`
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
