/** Token buckets by name. A bucket is stored as one number: the time at which it is full again. */

export interface Rate {
  per_s: number
  /** Size of the bucket: how many tokens can be taken at once. */
  burst: number
}

export interface Buckets {
  readonly rate: Rate
  /**
   * Takes `count` tokens or none.
   * @returns 0 if they were taken, otherwise the seconds to wait
   */
  take(name: string, count: number): number
  /** Returns what {@link take} would, without taking tokens. */
  wait(name: string, count: number): number
  /** Whole tokens left, and the seconds until the bucket is full. */
  state(name: string): { left: number; full_in_s: number }
  /** Number of buckets in memory. */
  readonly size: number
}

/**
 * About 100 bytes each. Past the limit, the least recently used bucket is dropped, and its owner
 * gets a full one.
 */
export const BUCKETS_MAX = 50_000
/** How many buckets are scanned to make room for a new one, so that a flood of new callers stays cheap. */
const SCANNED_MAX = 64
/** Tolerates floating-point rounding. */
const SLACK_MS = 0.001

/** @param now_ms a monotonic clock, such as performance.now */
export function createBuckets(rate: Rate, now_ms: () => number, buckets_max = BUCKETS_MAX): Buckets {
  const ms_per_token = 1_000 / rate.per_s
  const depth_ms = rate.burst * ms_per_token
  // Ordered by last use. A full bucket is the same as no bucket, so it can be dropped.
  const full_at_ms = new Map<string, number>()

  const missingMs = (name: string) => Math.max(0, (full_at_ms.get(name) ?? 0) - now_ms())

  function wait(name: string, count: number): number {
    // A request larger than the bucket passes when the bucket is full; it could never pass otherwise.
    // Later requests wait until the debt is repaid.
    const needed_ms = Math.min(count, rate.burst) * ms_per_token
    const over_ms = missingMs(name) + needed_ms - depth_ms
    return over_ms <= SLACK_MS ? 0 : over_ms / 1_000
  }

  function makeRoom(): void {
    let scanned = 0
    for (const [name, full_at] of full_at_ms) {
      if (full_at <= now_ms()) full_at_ms.delete(name)
      scanned += 1
      if (scanned === SCANNED_MAX) break
    }
    // No full bucket was found: drop the least recently used one.
    if (full_at_ms.size >= buckets_max) full_at_ms.delete(full_at_ms.keys().next().value!)
  }

  return {
    rate,
    wait,
    take(name, count) {
      const wait_s = wait(name, count)
      if (wait_s > 0) return wait_s
      const full_at = now_ms() + missingMs(name) + count * ms_per_token
      full_at_ms.delete(name)
      if (full_at_ms.size >= buckets_max) makeRoom()
      full_at_ms.set(name, full_at)
      return 0
    },
    state(name) {
      const missing_ms = missingMs(name)
      const left = Math.floor((depth_ms - missing_ms + SLACK_MS) / ms_per_token)
      return { left: Math.max(0, left), full_in_s: missing_ms / 1_000 }
    },
    get size() {
      return full_at_ms.size
    },
  }
}
