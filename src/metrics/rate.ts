/** Mean rate over the last seconds, in constant memory: one counter per second. */
export interface Rate {
  add(count: number): void
  /** Mean over the window, including the current second. */
  per_second(): number
}

/** @param now_ms a monotonic clock */
export function createRate(window_s: number, now_ms: () => number): Rate {
  const counts = new Float64Array(window_s)
  let newest_s = -Infinity

  /** Clears the counters of the seconds since the last call. Returns the index of the current one. */
  function advance(): number {
    const now_s = Math.floor(now_ms() / 1_000)
    for (let s = Math.max(newest_s, now_s - window_s) + 1; s <= now_s; s += 1) counts[s % window_s] = 0
    newest_s = Math.max(newest_s, now_s)
    return newest_s % window_s
  }

  return {
    add(count) {
      counts[advance()]! += count
    },
    per_second() {
      advance()
      return counts.reduce((sum, n) => sum + n, 0) / window_s
    },
  }
}
