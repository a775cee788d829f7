import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { Problem } from '../problem/problem.ts'
import type { Body } from './body.ts'
import type { KeyedRequest } from './idempotency.ts'

/** Idempotency-Keys of requests in progress. A second request with the same key gets 409. */

/** The draft sets no limit; a UUID has 36 characters. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 255

/** The draft requires quotes, `"…"`; most clients omit them. */
const KEY = /^(?:"([\x20\x21\x23-\x7e]+)"|([\x21\x23-\x7e]+))$/

/**
 * Parses the Idempotency-Key header; null if it is absent.
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
   * Runs `act` and holds the key meanwhile.
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

/** Bytes hashed per turn of the event loop, 1 or 2 ms. */
const HASHED_AT_ONCE_BYTES_MAX = 1024 * 1024

/**
 * Computes the fingerprint of a request.
 * Two requests are the same if parameters and body are equal byte by byte.
 */
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
