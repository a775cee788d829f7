/** How many a second lately: one number for each of the last seconds, and nothing that grows. */
export interface Rate {
  add(count: number): void
  /** The mean of the last seconds, the one that runs included. */
  per_second(): number
}

/** @param now_ms a clock that never jumps */
export function createRate(window_s: number, now_ms: () => number): Rate {
  const counts = new Float64Array(window_s)
  let newest_s = -Infinity

  /** Empties the seconds that have passed since the last call. */
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
