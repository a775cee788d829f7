import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fingerprint } from '../event/id.ts'
import type { Day } from '../event/time.ts'

/**
 * A segment: the ids of many cold rows in one sorted file, so that most new ids are recognised as new
 * without opening a Parquet file.
 *
 * On disk: one little-endian 64-bit integer per id in ascending order, and nothing else. Its upper 48 bits
 * are those of the id's fingerprint, its lower 16 bits are the day. In memory, 2.2 bytes per id: the
 * position of each bucket of fingerprints, and for every id the 16 bits that follow the bucket's bits. If
 * they match (about 1 in 3,000 new ids), the entry is read from disk; it then matches falsely about once
 * in 2^48 / ids.
 */

export const ENTRY_BYTES = 8
/**
 * Buckets hold 16 to 32 entries on average:
 * few to search, and enough to share the 4 bytes of the position.
 */
const BUCKET_ENTRIES_MIN = 16
const DAYS_MAX = 2 ** 16
/** Bytes per read when a segment is opened, about 2 ms of work. */
const READ_BYTES = 1024 * 1024

/** Collects the entries of a new segment in memory, 8 bytes per id. */
export class IdEntries {
  count = 0
  #entries: BigUint64Array
  #words: Int32Array

  /** @param expected the expected number of ids; the array grows beyond it if needed */
  constructor(expected: number) {
    this.#entries = new BigUint64Array(Math.max(expected, 1))
    this.#words = new Int32Array(this.#entries.buffer)
  }

  /**
   * Adds an id, given as four big-endian 32-bit words.
   * @throws {RangeError} for a day after 2149-06-06, which does not fit in 16 bits
   */
  add(w0: number, w1: number, w2: number, w3: number, day: Day): void {
    if (day < 0 || day >= DAYS_MAX) throw new RangeError(`day ${day} does not fit an id segment`)
    if (this.count === this.#entries.length) this.#grow()
    const { low, high } = fingerprint(w0, w1, w2, w3)
    const at = this.count * 2
    this.#words[at] = (low & 0xffff0000) | day
    this.#words[at + 1] = high
    this.count += 1
  }

  /** Returns the content of the file. Sorts in place. */
  toBytes(): Uint8Array {
    const entries = this.#entries.subarray(0, this.count)
    entries.sort()
    return new Uint8Array(entries.buffer, entries.byteOffset, entries.byteLength)
  }

  #grow(): void {
    const entries = new BigUint64Array(this.#entries.length * 2)
    entries.set(this.#entries)
    this.#entries = entries
    this.#words = new Int32Array(entries.buffer)
  }
}

export function writeSegment(path: string, entries: IdEntries): void {
  writeFileSync(path, entries.toBytes())
}

/** The file is missing, unreadable or damaged, or reading it was aborted. */
export class IdSegmentError extends Error {
  override name = 'IdSegmentError'
}

/** An open segment. It keeps the file open, so that the file can be deleted while it is in use. */
export class IdSegment {
  readonly count: number
  #fd: number
  #shift: number
  /** Position of each bucket, and the end of the last one. */
  #begins: Uint32Array
  /** For each fingerprint the 16 bits after those that select its bucket. */
  #bits: Uint16Array
  #entry = new Int32Array(2)
  #version: string

  /**
   * Opens a segment and reads it once, {@link READ_BYTES} per turn of the event loop.
   * @param checksum SHA-256, hex
   * @throws {IdSegmentError} if the file is missing, unreadable or damaged, or the signal aborts
   */
  static async open(path: string, count: number, checksum: string, signal?: AbortSignal): Promise<IdSegment> {
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch (error) {
      throw new IdSegmentError(`id segment ${path} cannot be opened`, { cause: error })
    }
    try {
      // Checked before allocating: a damaged catalog may contain any count.
      const { size } = fstatSync(fd)
      if (size !== count * ENTRY_BYTES)
        throw new IdSegmentError(`id segment ${path} has ${size} bytes instead of ${count * ENTRY_BYTES}`)
      const segment = new IdSegment(fd, count)
      if ((await segment.#load(signal)) !== checksum)
        throw new IdSegmentError(`id segment ${path} does not match its checksum`)
      return segment
    } catch (error) {
      closeSync(fd)
      if (error instanceof IdSegmentError) throw error
      throw new IdSegmentError(`id segment ${path} cannot be read`, { cause: error })
    }
  }

  private constructor(fd: number, count: number) {
    this.count = count
    this.#fd = fd
    this.#version = this.#readVersion()
    this.#shift = bucketBits(count)
    this.#begins = new Uint32Array(2 ** this.#shift + 1)
    this.#bits = new Uint16Array(count)
  }

  /** Whether size and mtime are the same as when the file was opened. */
  get is_unchanged(): boolean {
    return this.#readVersion() === this.#version
  }

  #readVersion(): string {
    const { size, mtimeNs } = fstatSync(this.#fd, { bigint: true })
    return `${size} ${mtimeNs}`
  }

  /** Memory of the index arrays. */
  get memory_bytes(): number {
    return this.#begins.byteLength + this.#bits.byteLength
  }

  /**
   * Appends to `days` every day that has this fingerprint, compared by 48 bits. Appends nothing if the id is
   * certainly not in the segment.
   */
  find(low: number, high: number, days: Day[]): void {
    const bits = this.#bitsOf(low, high)
    const bucket = this.#bucketOf(high)
    let at = this.#begins[bucket]!
    const end = this.#begins[bucket + 1]!
    for (let rest = end - at; rest > 0;) {
      const half = rest >>> 1
      if (this.#bits[at + half]! < bits) {
        at += half + 1
        rest -= half + 1
      } else rest = half
    }
    for (; at < end && this.#bits[at] === bits; at += 1) {
      readSync(this.#fd, this.#entry, 0, ENTRY_BYTES, at * ENTRY_BYTES)
      const word = this.#entry[0]!
      if (this.#entry[1] === high && ((word ^ low) & 0xffff0000) === 0) days.push(word & 0xffff)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #bucketOf(high: number): number {
    return this.#shift === 0 ? 0 : high >>> (32 - this.#shift)
  }

  #bitsOf(low: number, high: number): number {
    return this.#shift === 0 ? high >>> 16 : ((high << this.#shift) | (low >>> (32 - this.#shift))) >>> 16
  }

  /** Reads the file into the arrays. Returns its checksum. */
  async #load(signal?: AbortSignal): Promise<string> {
    const hash = createHash('sha256')
    const words = new Int32Array(READ_BYTES / 4)
    const chunk = new Uint8Array(words.buffer)
    let entries = 0
    let buckets = 0
    while (entries < this.count) {
      const bytes = readWhole(this.#fd, chunk, entries * ENTRY_BYTES)
      if (bytes < ENTRY_BYTES) break
      hash.update(chunk.subarray(0, bytes))
      const count = Math.floor(bytes / ENTRY_BYTES)
      buckets = this.#take(words, count, entries, buckets)
      entries += count
      await nextTurn()
      signal?.throwIfAborted()
    }
    this.#begins.fill(this.count, buckets)
    return hash.digest('hex')
  }

  /**
   * Indexes `count` entries that start at position `from`.
   * @param buckets number of buckets whose position is already set
   * @returns the same number afterwards
   */
  #take(words: Int32Array, count: number, from: number, buckets: number): number {
    // Local variables, because accessing the fields takes twice as long and start-up waits for this loop.
    const begins = this.#begins
    const bits = this.#bits
    for (let n = 0; n < count; n += 1) {
      const low = words[2 * n]!
      const high = words[2 * n + 1]!
      bits[from + n] = this.#bitsOf(low, high)
      for (const bucket = this.#bucketOf(high); buckets <= bucket; buckets += 1) begins[buckets] = from + n
    }
    return buckets
  }
}

/** Reads until the buffer is full or the file ends. Returns the number of bytes. */
function readWhole(fd: number, buffer: Uint8Array, position: number): number {
  let bytes = 0
  for (let read = 1; read > 0 && bytes < buffer.length; bytes += read)
    read = readSync(fd, buffer, bytes, buffer.length - bytes, position + bytes)
  return bytes
}

function bucketBits(count: number): number {
  return Math.max(0, Math.floor(Math.log2(count / BUCKET_ENTRIES_MIN)))
}

/** Entries held in memory during a merge. */
const MERGE_ENTRIES = 4_000_000

/**
 * Merges segments into a new file. It holds about `at_a_time` entries in memory: fingerprints are uniformly distributed,
 * so it splits the inputs into equal ranges of fingerprints and sorts one range at a time.
 */
export function mergeSegments(paths: readonly string[], target: string, at_a_time = MERGE_ENTRIES): void {
  const inputs = paths.map((path) => ({
    fd: openSync(path, 'r'),
    at: 0,
    end: statSync(path).size / ENTRY_BYTES,
  }))
  const output = openSync(target, 'wx')
  try {
    const entries = inputs.reduce((n, { end }) => n + end, 0)
    const ranges = Math.max(1, Math.ceil(entries / at_a_time))
    for (let range = 1; range <= ranges; range += 1) {
      const bound = range === ranges ? Infinity : (range / ranges) * 2 ** 32
      const ends = inputs.map(({ fd, at, end }) => firstAtOrAbove(fd, bound, at, end))
      const merged = new BigUint64Array(inputs.reduce((n, { at }, i) => n + ends[i]! - at, 0))
      let filled = 0
      for (const [i, input] of inputs.entries()) {
        const part = merged.subarray(filled, filled + ends[i]! - input.at)
        readWhole(
          input.fd,
          new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
          input.at * ENTRY_BYTES,
        )
        filled += part.length
        input.at = ends[i]!
      }
      merged.sort()
      writeWhole(output, new Uint8Array(merged.buffer))
    }
  } finally {
    closeSync(output)
    for (const { fd } of inputs) closeSync(fd)
  }
}

/** The first position in `[from, end)` whose upper 32 bits are at least `bound`; `end` if there is none. */
function firstAtOrAbove(fd: number, bound: number, from: number, end: number): number {
  if (bound === Infinity) return end
  const entry = new Uint32Array(2)
  let at = from
  for (let rest = end - from; rest > 0;) {
    const half = Math.floor(rest / 2)
    readSync(fd, entry, 0, ENTRY_BYTES, (at + half) * ENTRY_BYTES)
    if (entry[1]! < bound) {
      at += half + 1
      rest -= half + 1
    } else rest = half
  }
  return at
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written)
}
