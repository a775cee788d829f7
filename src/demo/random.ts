import { createHash } from 'node:crypto'

/**
 * Deterministic pseudo-random numbers, seeded by a name. Uses only operations that are defined to
 * the last bit (no Math.log, no Math.pow), so that every machine and Node version generates the
 * same data.
 */

/** Returns the next number, from 0 (included) to 1 (excluded). */
export type Random = () => number

/** Creates the generator of a name: mulberry32, seeded with the FNV-1a hash of the name. */
export function randomOf(name: string): Random {
  let state = 0x811c9dc5
  for (let i = 0; i < name.length; i += 1) state = Math.imul(state ^ name.charCodeAt(i), 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Returns the UUID of a name: version 8 of RFC 9562, from the SHA-256 of the name. */
export function uuidOf(name: string): string {
  const hash = createHash('sha256').update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Choices with their relative weights. */
export type Weighted<T> = readonly (readonly [choice: T, weight: number])[]

export function pickWeighted<T>(random: Random, choices: Weighted<T>): T {
  let total = 0
  for (const [, weight] of choices) total += weight
  let left = random() * total
  for (const [choice, weight] of choices) {
    left -= weight
    if (left < 0) return choice
  }
  return choices.at(-1)![0]
}

export function integerBelow(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}
