import type { MiddlewareHandler } from 'hono'
import { isLoopback } from '../config.ts'
import type { Config } from '../config.ts'
import { Problem } from '../problem/problem.ts'

/**
 * Protects an open store from web pages. A browser on this machine can reach a loopback address, and with DNS
 * rebinding the name of a foreign page leads to it: the page's requests then carry no foreign Origin, but that
 * name as Host. A form needs no rebinding to post, but its Origin is foreign. A store with keys needs neither
 * check, because such a page has no key.
 */

/** The methods of which a page may at most read the reply, which CORS decides. */
const SAFE = ['GET', 'HEAD', 'OPTIONS']

/** @param gate whether the store needs credentials */
export function guardOpenStore(config: Config, gate: { readonly closed: boolean }): MiddlewareHandler {
  const { HOST, ALLOWED_HOSTS: allowed, CORS_ORIGINS: origins } = config
  // On another address without a list of names, the names of the service are not known.
  const is_guarded = isLoopback(HOST) || allowed.length > 0

  return async function guard(c, next) {
    if (is_guarded && !gate.closed) {
      const host = c.req.header('host') ?? ''
      const name = hostNameOf(host)
      if (name === null || !(isLoopback(name) || allowed.includes(name))) {
        throw new Problem(
          'misdirected_request',
          'A store without keys answers only to names of this machine, and those in ALLOWED_HOSTS.',
        )
      }
      const origin = c.req.header('origin')
      if (origin !== undefined && !SAFE.includes(c.req.method) && !mayWrite(origin, host, origins)) {
        throw new Problem(
          'foreign_origin',
          'A store without keys takes nothing from pages of other origins, except those in CORS_ORIGINS.',
        )
      }
    }
    await next()
  }
}

function mayWrite(origin: string, host: string, origins: readonly string[]): boolean {
  if (origins[0] === '*' || origins.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

/** Returns the name in a Host header without port, brackets and trailing dot, in lower case; null if there is none. */
export function hostNameOf(host: string): string | null {
  if (host === '' || !URL.canParse(`http://${host}`)) return null
  return new URL(`http://${host}`).hostname.replace(/\.$/, '').replace(/^\[(.*)\]$/, '$1')
}
