import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../tests/support/root.ts'
import type { Benchmark } from './benchmark.ts'
import { makeTable } from './table.ts'
import type { Measured } from './table.ts'

const README = join(ROOT, 'bench/README.md')
export const RESULTS = join(ROOT, 'bench/results')

/** Writes the newest results to bench/README.md, between `<!-- bench NAME -->` and `<!-- end -->`. */
export function fillReadme(benchmarks: readonly Benchmark[]): void {
  const names = existsSync(RESULTS) ? readdirSync(RESULTS).toSorted() : []
  let text = readFileSync(README, 'utf8')
  for (const benchmark of benchmarks) {
    const newest = names.findLast((name) => name.startsWith(`${benchmark.name}-2`))
    const place = new RegExp(`(<!-- bench ${benchmark.name} -->\\n)[^]*?(<!-- end -->)`)
    if (newest === undefined || !place.test(text)) continue
    const { measured } = JSON.parse(readFileSync(join(RESULTS, newest), 'utf8')) as { measured: Measured[] }
    const table = makeTable(benchmark, measured)
    text = text.replace(place, (_all, begin: string, end: string) => `${begin}\n${table}\n\n${end}`)
  }
  writeFileSync(README, text)
}
