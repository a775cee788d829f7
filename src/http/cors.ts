import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'

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
