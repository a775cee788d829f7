import { createHmac, timingSafeEqual } from 'node:crypto'

/** Login tokens: JWT (RFC 7519), signed with HMAC-SHA256. */

export interface Tokens {
  readonly lifetime_s: number
  sign(claims: { sub: string; scope: string }): string
  /** Returns the subject of a token; null if it is invalid, expired or not valid yet. */
  verify(token: string): string | null
}

/** Longer than any token signed here; longer texts are rejected unread. */
export const TOKEN_CHARS_MAX = 1_024

/**
 * A token must begin with exactly this header, so the algorithm is never taken from the token: `none`, or a
 * public key used as the secret, is rejected before anything is computed.
 */
const HEADER = encode({ alg: 'HS256', typ: 'JWT' })

/** @param now_s the wall clock, seconds since 1970 */
export function createTokens(secret: Buffer, lifetime_s: number, now_s: () => number): Tokens {
  // Compared as text: the last character has bits that decoding drops, so several texts decode to
  // one signature.
  const signatureOf = (text: string) => createHmac('sha256', secret).update(text).digest('base64url')

  return {
    lifetime_s,
    sign(claims) {
      const iat = now_s()
      const text = `${HEADER}.${encode({ ...claims, iat, nbf: iat, exp: iat + lifetime_s })}`
      return `${text}.${signatureOf(text)}`
    },
    verify(token) {
      if (token.length > TOKEN_CHARS_MAX) return null
      const [header, payload, signature, ...rest] = token.split('.')
      if (header !== HEADER || payload === undefined || signature === undefined || rest.length > 0)
        return null
      const given = Buffer.from(signature)
      const expected = Buffer.from(signatureOf(`${header}.${payload}`))
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null
      return subjectOf(JSON.parse(Buffer.from(payload, 'base64url').toString()), now_s())
    },
  }
}

/** Called after the signature was verified. */
function subjectOf(claims: unknown, at_s: number): string | null {
  if (typeof claims !== 'object' || claims === null) return null
  const { sub, nbf, exp } = claims as Record<string, unknown>
  if (typeof sub !== 'string' || typeof nbf !== 'number' || typeof exp !== 'number') return null
  return nbf <= at_s && at_s < exp ? sub : null
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
