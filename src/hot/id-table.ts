import { randomFillSync } from 'node:crypto'
import { mix } from '../event/id.ts'

const WORDS = 4
const FIRST_SLOTS = 1_024
/** Of its slots a table fills at most two thirds: 24 bytes an id when it is full. */
const FILLED_MAX = 2 / 3
/**
 * A table with more than this share of all the slots it may need gets the others too. To move its ids once more keeps everybody waiting, 100 ms for
 * some 350,000 of them beside other work.
 */
const SMALL = 1 / 16

/**
 * A set of event ids, as four 32-bit words each, in one array with open addressing and linear probing (Knuth 6.4, algorithm L). What was taken last can be
 * given back.
 */
export class IdTable {
  count = 0
  /** Slots that were filled since {@link keep}, in that order. */
  #taken: number[] = []
  #slots = FIRST_SLOTS
  #words = new Int32Array(FIRST_SLOTS * WORDS)
  /**
   * Words are kept with these flipped. So nobody who sends ids knows which of them meet in one slot, and four zeros can mean that a slot is empty: an id that
   * becomes four zeros is one in 2^128.
   */
  readonly #key = randomFillSync(new Int32Array(WORDS))
  readonly #all_slots: number

  /** @param capacity how many ids are expected at the most; more are taken too */
  constructor(capacity: number) {
    this.#all_slots = slotsFor(capacity)
  }

  /** Makes room for so many more, so that none of them moves the others. */
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

  /** Adds an id for which there is room. Returns false if it was there. */
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

  keep(): void {
    this.#taken = []
  }

  /** Empties the slots that were filled since {@link keep}. None of the older ids stands behind one of them. */
  forget(): void {
    for (const at of this.#taken) this.#words.fill(0, at, at + WORDS)
    this.count -= this.#taken.length
    this.#taken = []
  }

  /** Where the words stand; if nowhere, the complement of where they would. */
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
  while (ids > slots * FILLED_MAX) slots *= 2
  return slots
}
