import { createHash } from 'node:crypto'

/**
 * Numbers that look random and are the same for the same name. They use only operations that IEEE 754 and the language define to the
 * last bit (no Math.log, no Math.pow), so that every machine and every Node makes the same data.
 */

/** The next number, from 0 (included) to 1. */
export type Random = () => number

/** An endless row of numbers that belongs to a name. The name is hashed by FNV-1a, the numbers are mulberry32's. */
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

/** The UUID that belongs to a name: version 8 of RFC 9562, made of the name's SHA-256. */
export function uuidOf(name: string): string {
  const hash = createHash('sha256').update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A choice and its share of all weights. */
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
