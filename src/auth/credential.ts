/** The credential of a request: `Authorization: Bearer …` or `X-Api-Key: …`. */
export type Credential =
  | { kind: 'none' }
  /** A key or a token. */
  | { kind: 'secret'; secret: string }
  /** The two headers differ. Rejected, because either could identify the wrong caller. */
  | { kind: 'contradiction' }

// Other schemes are ignored: they may be meant for a proxy in front.
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
