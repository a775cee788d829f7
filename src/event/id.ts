/** Event ids: UUIDs in the 8-4-4-4-12 form of RFC 9562, stored as 16 bytes in text (big-endian) order. */

export const ID_BYTES = 16
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text is a UUID, in upper or lower case. */
export function isEventId(text: string): boolean {
  return text.length === 36 && UUID.test(text)
}

/** Writes the 16 bytes of a UUID to `target` at `offset`. The text must have passed {@link isEventId}. */
export function writeEventId(text: string, target: Uint8Array, offset: number): void {
  for (let i = 0; i < ID_BYTES; i += 1) {
    const at = DIGITS_AT[i]!
    target[offset + i] = (nibble(text.charCodeAt(at)) << 4) | nibble(text.charCodeAt(at + 1))
  }
}

/** Position of the first digit of each byte; hyphens are skipped. */
const DIGITS_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const

/** The low 4 bits of the characters 0-9 are their value; those of a-f and A-F are their value minus 9. */
function nibble(code: number): number {
  return (code & 0xf) + (code >> 6) * 9
}

/** Formats the 16 bytes at `offset` as a lower-case UUID. */
export function formatEventId(bytes: Buffer, offset = 0): string {
  const hex = bytes.toString('hex', offset, offset + ID_BYTES)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * Hashes an id, given as four big-endian 32-bit words, to 64 bits in two signed 32-bit halves. They
 * are signed because V8 allocates a heap object for larger numbers. The words may be signed or unsigned.
 * Every word affects both halves, because some UUID versions have constant words (v1 the node, v7 the time).
 */
export function fingerprint(w0: number, w1: number, w2: number, w3: number): { low: number; high: number } {
  const low = mix(mix(mix(mix(w0) ^ w1) ^ w2) ^ w3)
  const high = mix(mix(mix(mix(w3 ^ 0x9e3779b9) ^ w2) ^ w1) ^ w0)
  return { low, high }
}

/** The finalizer of MurmurHash3. */
export function mix(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/**
 * A digest of a set of ids that does not depend on their order, to check that a copy has the same ids.
 * It sums instead of XORing, because with XOR a duplicate id would cancel itself out.
 */
export class IdDigest {
  count = 0
  #low = 0
  #high = 0

  add(w0: number, w1: number, w2: number, w3: number): void {
    const { low, high } = fingerprint(w0, w1, w2, w3)
    this.count += 1
    this.#low = (this.#low + low) >>> 0
    this.#high = (this.#high + high) >>> 0
  }

  /** Adds consecutive ids of 16 bytes each. */
  addBytes(ids: Buffer): void {
    for (let at = 0; at < ids.length; at += ID_BYTES)
      this.add(
        ids.readInt32BE(at),
        ids.readInt32BE(at + 4),
        ids.readInt32BE(at + 8),
        ids.readInt32BE(at + 12),
      )
  }

  /** Adds a disjoint set. @param text its digest, 16 hex digits @param count number of its ids */
  addDigest(text: string, count: number): void {
    this.count += count
    this.#high = (this.#high + Number.parseInt(text.slice(0, 8), 16)) >>> 0
    this.#low = (this.#low + Number.parseInt(text.slice(8), 16)) >>> 0
  }

  /** The digest as 16 hex digits. */
  toString(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0')
  }
}
