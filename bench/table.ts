import type { Benchmark } from './benchmark.ts'
import { median } from './statistics.ts'

/** The results of one case: for each round, a number per metric. */
export interface Measured {
  label: string
  rounds: Record<string, number>[]
}

/** Makes a Markdown table. One case gives one row per metric, several cases give one row per case. */
export function makeTable({ metrics }: Benchmark, measured: readonly Measured[]): string {
  const columns = Object.entries(metrics)
  const [only, ...others] = measured
  if (only === undefined) throw new Error('nothing was measured')
  const of = ({ rounds }: Measured, key: string) => rounds.flatMap((round) => round[key] ?? [])
  if (others.length === 0) {
    const lines = columns.flatMap(([key, { label, digits }]) => {
      const values = of(only, key)
      if (values.length === 0) return []
      const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)]
      return `| ${label} | ${middle.toFixed(digits)} | ${least.toFixed(digits)} to ${most.toFixed(digits)} |`
    })
    return ['| | median | spread |', '|---|---:|---:|', ...lines].join('\n')
  }
  const lines = measured.map((each) => {
    const cells = columns.map(([key, { digits }]) => {
      const values = of(each, key)
      return values.length === 0 ? '' : median(values).toFixed(digits)
    })
    return `| ${each.label} | ${cells.join(' | ')} |`
  })
  return [
    `| | ${columns.map(([, { label }]) => label).join(' | ')} |`,
    `|---|${columns.map(() => '---:|').join('')}`,
    ...lines,
  ].join('\n')
}
