import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { Problem } from '../problem/problem.ts'

/** How long a browser may cache a preflight reply. */
const PREFLIGHT_MAX_AGE_S = 600

/**
 * Lets pages of other origins read the replies. Cookies are not allowed; a page sends its key in a header.
 * @param origins allowed origins, or only `*`
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: origins[0] === '*' ? '*' : [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'DELETE'],
    allowHeaders: ['authorization', 'content-encoding', 'content-type', 'idempotency-key', 'x-api-key'],
    exposeHeaders: [
      'idempotency-replayed',
      'link',
      'ratelimit',
      'ratelimit-policy',
      'retry-after',
      'www-authenticate',
      'x-request-id',
    ],
    maxAge: PREFLIGHT_MAX_AGE_S,
  })
}

export const ORIGIN_NOT_ALLOWED = 'CORS_ORIGINS does not name the origin of the page.'

const READING = ['GET', 'HEAD', 'OPTIONS']

/**
 * Refuses what pages of other origins send without a preflight, such as a body of text/plain. Otherwise any page that is open on
 * this machine could write into a store without keys.
 * @param origins as for {@link allowOrigins}; none if empty
 */
export function refuseForeignPages(origins: readonly string[]): MiddlewareHandler {
  return async function refuseForeignPage(c, next) {
    const site = c.req.header('sec-fetch-site')
    const is_foreign = site === 'cross-site' || site === 'same-site'
    if (is_foreign && !READING.includes(c.req.method)) {
      const allowed = origins.includes('*') || origins.includes(c.req.header('origin') ?? '')
      if (!allowed) throw new Problem('origin_not_allowed', ORIGIN_NOT_ALLOWED)
    }
    await next()
  }
}
