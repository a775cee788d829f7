/**
 * A set of 64-bit fingerprints: open addressing with linear probing over two typed arrays, 11 to 22 bytes an entry.
 * It has no deletes: an id that is cold stays cold.
 */
export class FingerprintSet {
  size = 0
  #mask: number
  #low: Uint32Array
  #high: Uint32Array

  constructor(expected = 0) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(1024, expected / FILL_MAX)))
    this.#mask = slots - 1
    this.#low = new Uint32Array(slots)
    this.#high = new Uint32Array(slots)
  }

  /** Adds a fingerprint; one that is there already changes nothing. */
  add(low: number, high: number): void {
    // All zeroes marks a free slot, so the one fingerprint that looks like it is kept as another.
    const high_kept = low === 0 && high === 0 ? 1 : high
    const slot = this.#find(low, high_kept)
    if (this.#low[slot] === low && this.#high[slot] === high_kept) return
    this.#low[slot] = low
    this.#high[slot] = high_kept
    this.size += 1
    if (this.size > (this.#mask + 1) * FILL_MAX) this.#grow()
  }

  /** No false negatives; a false positive about once in 2^64 / size. */
  has(low: number, high: number): boolean {
    const high_kept = low === 0 && high === 0 ? 1 : high
    const slot = this.#find(low, high_kept)
    return this.#low[slot] === low && this.#high[slot] === high_kept
  }

  /** The slot that holds the fingerprint, or the free one where it would go. */
  #find(low: number, high: number): number {
    let slot = (low ^ Math.imul(high, 0x9e3779b1)) & this.#mask
    while (this.#low[slot] !== 0 || this.#high[slot] !== 0) {
      if (this.#low[slot] === low && this.#high[slot] === high) return slot
      slot = (slot + 1) & this.#mask
    }
    return slot
  }

  #grow(): void {
    const low = this.#low
    const high = this.#high
    const slots = low.length * 2
    this.#mask = slots - 1
    this.#low = new Uint32Array(slots)
    this.#high = new Uint32Array(slots)
    for (let i = 0; i < low.length; i += 1) {
      if (low[i] === 0 && high[i] === 0) continue
      const slot = this.#find(low[i]!, high[i]!)
      this.#low[slot] = low[i]!
      this.#high[slot] = high[i]!
    }
  }
}

/** Beyond three quarters, linear probing takes long walks. */
const FILL_MAX = 0.75
