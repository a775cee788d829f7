/** Statistics of the results. Medians are used, because one disturbed round must not change the figure. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** @param share 0.99 for p99 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!
}

/** Medians of the first and the last third of a series, and the slope of its linear fit per value. */
export function growthOf(values: readonly number[]): { first: number; last: number; slope: number } {
  const third = Math.ceil(values.length / 3)
  const steps = values.map((_, n) => n - (values.length - 1) / 2)
  const middle = mean(values)
  const slope =
    mean(steps.map((step, n) => step * (values[n]! - middle))) / mean(steps.map((step) => step ** 2))
  return { first: median(values.slice(0, third)), last: median(values.slice(-third)), slope }
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
