/** Token buckets by name. One bucket is one number: the moment when it will be full again. */

export interface Rate {
  per_s: number
  /** What may come at once after a rest. */
  burst: number
}

export interface Buckets {
  readonly rate: Rate
  /**
   * Takes tokens, or none at all.
   * @returns 0 when they were taken, else the seconds until they can be
   */
  take(name: string, count: number): number
  /** What {@link take} would return; takes nothing. */
  wait(name: string, count: number): number
  /** Whole tokens left, and the seconds until none is missing. */
  state(name: string): { left: number; full_in_s: number }
  /** How many buckets are remembered. */
  readonly size: number
}

/** Of each kind; about 100 bytes each. Whoever sends from more addresses than this makes us forget, not fail. */
export const BUCKETS_MAX = 50_000
/** How far one newcomer looks for a full bucket to drop, so that a flood of newcomers costs little. */
const LOOKED_AT_MAX = 64
/** Sums of fractions of a millisecond are not exact. */
const SLACK_MS = 0.001

/** @param now_ms a clock that never jumps, such as performance.now */
export function createBuckets(rate: Rate, now_ms: () => number, buckets_max = BUCKETS_MAX): Buckets {
  const ms_per_token = 1_000 / rate.per_s
  const depth_ms = rate.burst * ms_per_token
  // In the order of the last touch. A full bucket says the same as none, so nothing is lost with it.
  const full_at_ms = new Map<string, number>()

  const missingMs = (name: string) => Math.max(0, (full_at_ms.get(name) ?? 0) - now_ms())

  function wait(name: string, count: number): number {
    // What is larger than the bucket passes when the bucket is full, and is paid for afterwards. It could never pass otherwise.
    const needed_ms = Math.min(count, rate.burst) * ms_per_token
    const over_ms = missingMs(name) + needed_ms - depth_ms
    return over_ms <= SLACK_MS ? 0 : over_ms / 1_000
  }

  function makeRoom(): void {
    let looked_at = 0
    for (const [name, full_at] of full_at_ms) {
      if (full_at <= now_ms()) full_at_ms.delete(name)
      looked_at += 1
      if (looked_at === LOOKED_AT_MAX) break
    }
    // None was full: the one that nobody touched for the longest time.
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
