import type { Buckets } from '../limits/buckets.ts'

/**
 * The `RateLimit` and `RateLimit-Policy` header fields of draft-ietf-httpapi-ratelimit-headers-10.
 * A token bucket is sent as a quota of `burst` in a window as long as the bucket takes to fill.
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

/** @param refused the limit that rejected the request, and the seconds until it would pass */
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
