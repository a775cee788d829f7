import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { Problem } from '../problem/problem.ts'
import type { Body } from './body.ts'
import type { KeyedRequest } from './idempotency.ts'

/** The Idempotency-Key of requests that have not been answered yet: a second one with the same key is told to wait. */

/** The draft sets no limit; a UUID has 36. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 255

/** A header as the draft writes it, `"…"`, or as most clients do, without the quotes. */
const KEY = /^(?:"([\x20\x21\x23-\x7e]+)"|([\x21\x23-\x7e]+))$/

/**
 * Reads the header.
 * @throws {Problem} `invalid_header`
 */
export function readIdempotencyKey(header: string | undefined): string | null {
  if (header === undefined) return null
  const match = KEY.exec(header)
  const key = match?.[1] ?? match?.[2]
  if (key === undefined || key.length > IDEMPOTENCY_KEY_CHARS_MAX) {
    throw new Problem(
      'invalid_header',
      `Idempotency-Key must be 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters, with or without double quotes around them.`,
      { errors: [{ path: 'Idempotency-Key', message: 'must be visible ASCII characters' }] },
    )
  }
  return key
}

export interface KeysInFlight {
  /**
   * Holds a key until `act` is done.
   * @throws {Problem} `idempotency_key_in_use`
   */
  hold<T>(owner: string, key: string | null, act: () => Promise<T>): Promise<T>
}

export function createKeysInFlight(): KeysInFlight {
  const held = new Set<string>()
  return {
    async hold(owner, key, act) {
      if (key === null) return act()
      const name = `${owner}\n${key}`
      if (held.has(name)) throw new Problem('idempotency_key_in_use', 'Send the request again later.')
      held.add(name)
      try {
        return await act()
      } finally {
        held.delete(name)
      }
    },
  }
}

/** A millisecond or two; then others have their turn. */
const HASHED_AT_ONCE_BYTES_MAX = 1024 * 1024

/** Two requests ask for the same if they have the same parameters and bodies, byte by byte. */
export async function keyedRequest(
  owner: string,
  key: string,
  asked: string,
  { parts }: Body,
): Promise<KeyedRequest> {
  const hash = createHash('sha256').update(asked).update('\n')
  let hashed_bytes = 0
  for (const part of parts) {
    hash.update(part)
    hashed_bytes += part.byteLength
    if (hashed_bytes < HASHED_AT_ONCE_BYTES_MAX) continue
    hashed_bytes = 0
    await setImmediate()
  }
  return { owner, key, fingerprint: hash.digest() }
}
