import { createHmac, timingSafeEqual } from 'node:crypto'

/** Tokens of logins: JWT (RFC 7519), signed with HMAC-SHA256. */

export interface Tokens {
  readonly lifetime_s: number
  sign(claims: { sub: string; scope: string }): string
  /** Whom a token was made for; null when it is not one of ours, or not of this time. */
  verify(token: string): string | null
}

/** Longer than any token made here; what is longer is not read. */
export const TOKEN_CHARS_MAX = 1_024

/**
 * A token must begin with exactly this. So the algorithm is ours and never the token's choice: `none`, a public key taken for a
 * secret and whatever else a header can ask for are refused before anything is computed.
 */
const HEADER = encode({ alg: 'HS256', typ: 'JWT' })

/** @param now_s the wall clock: a token's times are told to others */
export function createTokens(secret: Buffer, lifetime_s: number, now_s: () => number): Tokens {
  // As text: the last character of a signature has bits that decoding drops, so several texts decode to one signature.
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

/** The signature holds, so these are claims that somebody with the secret made. */
function subjectOf(claims: unknown, at_s: number): string | null {
  if (typeof claims !== 'object' || claims === null) return null
  const { sub, nbf, exp } = claims as Record<string, unknown>
  if (typeof sub !== 'string' || typeof nbf !== 'number' || typeof exp !== 'number') return null
  return nbf <= at_s && at_s < exp ? sub : null
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
