import { randomFillSync } from 'node:crypto'
import { mix } from '../event/id.ts'

const WORDS = 4
const FIRST_SLOTS = 1_024
/** Maximum load factor. A full table takes 24 bytes per id. */
const LOAD_MAX = 2 / 3
/**
 * A table that grows beyond this share of its full size is allocated at full size at once, because rehashing
 * it later would stall the writer: 100 ms for about 350,000 ids under load.
 */
const SMALL = 1 / 16

/**
 * A hash set of event ids, each four 32-bit words, in one array with open addressing and linear probing
 * (Knuth 6.4, algorithm L). Ids added since the last {@link keep} can be removed again.
 */
export class IdTable {
  count = 0
  /** Positions filled since {@link keep}. */
  #taken: number[] = []
  #slots = FIRST_SLOTS
  #words = new Int32Array(FIRST_SLOTS * WORDS)
  /**
   * Random words that are XORed with every id. Clients cannot choose ids that collide, and four zero words
   * can mark an empty slot: an id maps to them with probability 2^-128.
   */
  readonly #key = randomFillSync(new Int32Array(WORDS))
  readonly #all_slots: number

  /** @param capacity the expected maximum of ids; the table grows beyond it if needed */
  constructor(capacity: number) {
    this.#all_slots = slotsFor(capacity)
  }

  /** Makes room for `count` more ids, so that {@link take} never rehashes. */
  reserve(count: number): void {
    let slots = Math.max(this.#slots, slotsFor(this.count + count))
    if (slots === this.#slots) return
    if (slots > this.#all_slots * SMALL) slots = Math.max(slots, this.#all_slots)
    const old = this.#words
    this.#slots = slots
    this.#words = new Int32Array(slots * WORDS)
    for (let at = 0; at < old.length; at += WORDS) {
      if ((old[at]! | old[at + 1]! | old[at + 2]! | old[at + 3]!) === 0) continue
      const to = ~this.#find(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!)
      for (let n = 0; n < WORDS; n += 1) this.#words[to + n] = old[at + n]!
    }
  }

  has(w0: number, w1: number, w2: number, w3: number): boolean {
    const key = this.#key
    return this.#find(w0 ^ key[0]!, w1 ^ key[1]!, w2 ^ key[2]!, w3 ^ key[3]!) >= 0
  }

  /** Adds an id. Call {@link reserve} first. Returns false if it is already in the table. */
  take(w0: number, w1: number, w2: number, w3: number): boolean {
    const key = this.#key
    const s0 = w0 ^ key[0]!
    const s1 = w1 ^ key[1]!
    const s2 = w2 ^ key[2]!
    const s3 = w3 ^ key[3]!
    const found = this.#find(s0, s1, s2, s3)
    if (found >= 0) return false
    const words = this.#words
    words[~found] = s0
    words[~found + 1] = s1
    words[~found + 2] = s2
    words[~found + 3] = s3
    this.#taken.push(~found)
    this.count += 1
    return true
  }

  /** Makes the added ids permanent. */
  keep(): void {
    this.#taken = []
  }

  /**
   * Removes the ids added since {@link keep}.
   * Older ids were placed before them, so no probe sequence breaks.
   */
  forget(): void {
    for (const at of this.#taken) this.#words.fill(0, at, at + WORDS)
    this.count -= this.#taken.length
    this.#taken = []
  }

  /** Position of the words; if absent, the bitwise complement of the position where they belong. */
  #find(s0: number, s1: number, s2: number, s3: number): number {
    const words = this.#words
    const last = words.length - WORDS
    let at = (mix(mix(mix(mix(s0) ^ s1) ^ s2) ^ s3) * WORDS) & last
    for (;;) {
      if (words[at] === s0 && words[at + 1] === s1 && words[at + 2] === s2 && words[at + 3] === s3) return at
      if ((words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0) return ~at
      at = (at + WORDS) & last
    }
  }
}

function slotsFor(ids: number): number {
  let slots = FIRST_SLOTS
  while (ids > slots * LOAD_MAX) slots *= 2
  return slots
}
