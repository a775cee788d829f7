/** An event id: any UUID in the 8-4-4-4-12 form of RFC 9562, kept as 16 bytes in its textual (big-endian) order. */

export const ID_BYTES = 16
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isEventId(text: string): boolean {
  return text.length === 36 && UUID.test(text)
}

/** Writes the 16 bytes of a UUID's text into `target` at `offset`. The text must have passed {@link isEventId}. */
export function writeEventId(text: string, target: Uint8Array, offset: number): void {
  for (let i = 0; i < ID_BYTES; i += 1) {
    const at = DIGITS_AT[i]!
    target[offset + i] = (nibble(text.charCodeAt(at)) << 4) | nibble(text.charCodeAt(at + 1))
  }
}

/** Where the two digits of each byte stand, the hyphens left out. */
const DIGITS_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34] as const

/** Of a hexadecimal digit: the low bits of 0-9 are their value, those of a-f and A-F nine less. */
function nibble(code: number): number {
  return (code & 0xf) + (code >> 6) * 9
}

/** The lower-case text of the id that stands in `bytes` at `offset`. */
export function formatEventId(bytes: Buffer, offset = 0): string {
  const hex = bytes.toString('hex', offset, offset + ID_BYTES)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * 64 bits made of an id's four big-endian 32-bit words, as two halves. Words and halves may be signed or not, the bits are what counts;
 * halves come signed, because V8 keeps no larger number without an object around it.
 * Every word reaches both halves, because some UUID versions keep whole words constant (v1 its node, v7 its time).
 * The mixing steps are the finalizer of MurmurHash3.
 */
export function fingerprint(w0: number, w1: number, w2: number, w3: number): { low: number; high: number } {
  const low = mix(mix(mix(mix(w0) ^ w1) ^ w2) ^ w3)
  const high = mix(mix(mix(mix(w3 ^ 0x9e3779b9) ^ w2) ^ w1) ^ w0)
  return { low, high }
}

export function mix(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/**
 * An order-free digest of a set of ids: two sets of equal digest are, for the purpose of checking a copy, equal.
 * Sums instead of XOR, so that an id taken twice does not cancel itself out.
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

  /** Adds ids that stand one after another, 16 bytes each. */
  addBytes(ids: Buffer): void {
    for (let at = 0; at < ids.length; at += ID_BYTES)
      this.add(
        ids.readInt32BE(at),
        ids.readInt32BE(at + 4),
        ids.readInt32BE(at + 8),
        ids.readInt32BE(at + 12),
      )
  }

  /** Adds the ids of a disjoint set whose digest is known. */
  addDigest(text: string, count: number): void {
    this.count += count
    this.#high = (this.#high + Number.parseInt(text.slice(0, 8), 16)) >>> 0
    this.#low = (this.#low + Number.parseInt(text.slice(8), 16)) >>> 0
  }

  /** 16 hex digits, independent of the order in which ids were added. */
  toString(): string {
    return this.#high.toString(16).padStart(8, '0') + this.#low.toString(16).padStart(8, '0')
  }
}
