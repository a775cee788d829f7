import type { Json } from './json-schema.ts'

/** Reply headers, referenced by the replies that have them. */

const text = { type: 'string' }
const header = (description: string, schema: Json = text, required = false) => ({
  description,
  schema,
  required,
})

export const HEADERS = {
  'X-Request-Id': header('Id of the request in the log of the service.', {
    ...text,
    format: 'uuid',
  }),
  RateLimit: header(
    'Remaining quota, as in draft-ietf-httpapi-ratelimit-headers-10. Absent if no limit is set.',
  ),
  'RateLimit-Policy': header('Quotas and windows of the rate limits.'),
  'Retry-After': header('Seconds to wait before the next attempt.', { type: 'integer', minimum: 1 }, true),
  'WWW-Authenticate': header('The required credential, as in RFC 6750.', text, true),
  Link: header('URL of the next page, with `rel="next"`. Absent on the last page.'),
  'Idempotency-Replayed': header('The reply to an earlier request with the same key is sent again.', {
    const: 'true',
  }),
  'Accept-Post': header('Supported media types.'),
  ETag: header('Identifies this version of the content.', text, true),
} as const satisfies Record<string, Json>

export type HeaderName = keyof typeof HEADERS

export function headerRefs(names: readonly HeaderName[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
