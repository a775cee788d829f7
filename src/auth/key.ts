import { hash, randomBytes } from 'node:crypto'

/** API keys: a prefix that people and secret scanners recognise, and 256 random bits. */

const KEY_PREFIX = 'fl_'
const KEY_BYTES = 32
const KEY = /^fl_[A-Za-z0-9_-]{43}$/

export function makeKey(): string {
  return KEY_PREFIX + randomBytes(KEY_BYTES).toString('base64url')
}

export function looksLikeKey(text: string): boolean {
  return KEY.test(text)
}

/** A fast hash is enough: 256 random bits cannot be guessed. */
export function hashKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}
