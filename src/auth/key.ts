import { hash, randomBytes } from 'node:crypto'

/** An API key: a prefix by which people and scanners recognise it, and 256 random bits. */

const KEY_PREFIX = 'fl_'
const KEY_BYTES = 32
const KEY = /^fl_[A-Za-z0-9_-]{43}$/

export function makeKey(): string {
  return KEY_PREFIX + randomBytes(KEY_BYTES).toString('base64url')
}

export function looksLikeKey(text: string): boolean {
  return KEY.test(text)
}

/** Nobody can guess 256 random bits, so a key needs no slow hash. */
export function hashKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}
