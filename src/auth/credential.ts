/** What a request shows of itself: `Authorization: Bearer …` or `X-Api-Key: …`. */
export type Credential =
  | { kind: 'none' }
  /** A key or a token; which one, its form says. */
  | { kind: 'secret'; secret: string }
  /** Two that differ: whichever we took, somebody would be taken for somebody else. */
  | { kind: 'contradiction' }

// Another scheme is not for us; a proxy in front may have asked for it.
const BEARER = /^bearer(?: +|$)/i

export function readCredential(authorization: string | undefined, api_key: string | undefined): Credential {
  const bearer =
    authorization !== undefined && BEARER.test(authorization)
      ? authorization.replace(BEARER, '').trimEnd()
      : undefined
  if (bearer !== undefined && api_key !== undefined && bearer !== api_key) return { kind: 'contradiction' }
  const secret = bearer ?? api_key
  return secret === undefined ? { kind: 'none' } : { kind: 'secret', secret }
}
