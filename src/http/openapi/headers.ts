import type { Json } from './json-schema.ts'

/** Headers of replies that a client may want to read. Each stands with the replies that have it. */

const text = { type: 'string' }
const header = (description: string, schema: Json = text, required = false) => ({
  description,
  schema,
  required,
})

export const HEADERS = {
  'X-Request-Id': header('Under it the request stands in the log of the service.', {
    ...text,
    format: 'uuid',
  }),
  RateLimit: header(
    'What is left: draft-ietf-httpapi-ratelimit-headers-10. Absent where nothing is limited.',
  ),
  'RateLimit-Policy': header('The limits.'),
  'Retry-After': header('Seconds after which to send again.', { type: 'integer', minimum: 1 }, true),
  'WWW-Authenticate': header('What is missing: RFC 6750.', text, true),
  Link: header('The address of the next page, as `rel="next"`. Absent on the last page.'),
  'Idempotency-Replayed': header('The reply is that of an earlier request with the same key.', {
    const: 'true',
  }),
  'Accept-Post': header('The formats that are taken.'),
  ETag: header('Names this version of the document.', text, true),
} as const satisfies Record<string, Json>

export type HeaderName = keyof typeof HEADERS

export function headerRefs(names: readonly HeaderName[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
