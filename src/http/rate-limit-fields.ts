import type { Buckets } from '../limits/buckets.ts'

/**
 * What a client is told of its limits: the `RateLimit` and `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers-10.
 * A bucket of `burst` tokens that fills at `per_s` is told as: `burst` within the time that it takes to fill.
 */

export interface NamedBuckets {
  name: 'requests' | 'events'
  buckets: Buckets
}

const UNITS = { requests: '', events: ';qu="events"' } as const

export function policyOf(limits: readonly NamedBuckets[]): string {
  return limits
    .map(({ name, buckets: { rate } }) => {
      const window_s = Math.max(1, Math.ceil(rate.burst / rate.per_s))
      return `"${name}";q=${rate.burst};w=${window_s}${UNITS[name]}`
    })
    .join(', ')
}

/** @param refused the limit that refused the request, and in how many seconds it will not */
export function stateOf(
  limits: readonly NamedBuckets[],
  bucket: string,
  refused?: { name: NamedBuckets['name']; retry_after_s: number },
): string {
  return limits
    .map(({ name, buckets }) => {
      if (name === refused?.name) return `"${name}";r=0;t=${refused.retry_after_s}`
      const { left, full_in_s } = buckets.state(bucket)
      return `"${name}";r=${left};t=${Math.ceil(full_in_s)}`
    })
    .join(', ')
}
