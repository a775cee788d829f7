import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BUILD_VARIABLE, buildInto } from '../tests/support/build.ts'
import { ROOT } from '../tests/support/root.ts'
import type { Benchmark, Size } from './benchmark.ts'
import { coldIds } from './cold-ids.ts'
import { compact } from './compact.ts'
import { importing } from './import.ts'
import { ingest } from './ingest.ts'
import { latency } from './latency.ts'
import { livez } from './livez.ts'
import { parquetWriters } from './parquet-writers.ts'
import { peerVersions } from './peers.ts'
import { fillReadme, RESULTS } from './readme.ts'
import { requests } from './requests.ts'
import { questions } from './questions.ts'
import { smallDays } from './small-days.ts'
import { soak } from './soak.ts'
import { start } from './start.ts'
import { stats } from './stats.ts'
import { makeTable } from './table.ts'
import type { Measured } from './table.ts'

/** `npm run bench`: runs the benchmarks, prints a table for each, and writes JSON to bench/results/. */

const BENCHMARKS: readonly Benchmark[] = [
  start,
  ingest,
  requests,
  latency,
  importing,
  compact,
  smallDays,
  coldIds,
  livez,
  stats,
  questions,
  parquetWriters,
  soak,
]

const FULL: Size = {
  events: 100_000,
  rounds: 3,
  hot_rows: [0, 1_000_000, 5_000_000],
  cold_ids: 10_000_000,
  compact_rows: [100_000, 1_000_000, 5_000_000],
  import_rows: [1_000_000, 10_000_000],
  small_days: 3_000,
  pairs: 5,
  soak_minutes: 30,
  id_version: 4,
  bodies: 8,
  stats_events: [1_000_000, 10_000_000],
}
/** Only to test the benchmarks; the figures are not meaningful. */
const QUICK: Size = {
  events: 10_000,
  rounds: 1,
  hot_rows: [0, 50_000],
  cold_ids: 200_000,
  compact_rows: [50_000],
  import_rows: [100_000],
  small_days: 300,
  pairs: 5,
  soak_minutes: 3,
  id_version: 4,
  bodies: 2,
  stats_events: [100_000],
}

const USAGE = `usage: npm run bench -- [${BENCHMARKS.map(({ name }) => name).join('|')}]… [--quick] [--only TEXT]… [--rounds N] [--events N] [--hot-rows N,…] [--cold-ids N] [--compact-rows N,…] [--import-rows N,…] [--small-days N] [--stats-events N,…] [--pairs N] [--minutes N] [--id-version 4|7] [--out DIR] [--readme]`

interface Order {
  size: Size
  /** Null: the benchmark's default. */
  rounds: number | null
  chosen: readonly Benchmark[]
  /** Run only cases whose label contains one of these texts; all cases if there is none. */
  only: readonly string[]
  /** Measure nothing; write the newest results to bench/README.md. */
  readme: boolean
  /** Folder for the results. */
  out: string
}

/** @throws {Error} if an argument is invalid */
function readOrder(): Order {
  const text = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      rounds: text,
      events: text,
      'hot-rows': text,
      'cold-ids': text,
      'compact-rows': text,
      'import-rows': text,
      'small-days': text,
      pairs: text,
      minutes: text,
      'stats-events': text,
      'id-version': text,
      readme: { type: 'boolean' },
      out: text,
    },
  })
  const usual = values.quick === true ? QUICK : FULL
  const id_version = values['id-version'] ?? '4'
  if (id_version !== '4' && id_version !== '7') throw new Error('--id-version must be 4 or 7')
  const chosen = positionals.map((name) => BENCHMARKS.find((known) => known.name === name) ?? name)
  // --readme measures nothing, so it includes long benchmarks.
  const usualOnes = BENCHMARKS.filter(({ is_long }) => is_long !== true || values.readme === true)
  const unknown = chosen.find((known) => typeof known === 'string')
  if (unknown !== undefined) throw new Error(`unknown benchmark ${unknown}`)
  return {
    size: {
      ...usual,
      events: count(values.events) ?? usual.events,
      hot_rows: counts(values['hot-rows']) ?? usual.hot_rows,
      cold_ids: count(values['cold-ids']) ?? usual.cold_ids,
      compact_rows: counts(values['compact-rows']) ?? usual.compact_rows,
      import_rows: counts(values['import-rows']) ?? usual.import_rows,
      small_days: count(values['small-days']) ?? usual.small_days,
      pairs: count(values.pairs) ?? usual.pairs,
      soak_minutes: minutes(values.minutes) ?? usual.soak_minutes,
      id_version: id_version === '4' ? 4 : 7,
      stats_events: counts(values['stats-events']) ?? usual.stats_events,
    },
    rounds: count(values.rounds) ?? null,
    chosen: chosen.length === 0 ? usualOnes : (chosen as Benchmark[]),
    only: values.only ?? [],
    readme: values.readme ?? false,
    out: values.out ?? RESULTS,
  }
}

function count(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new Error(`${text} is not a number`)
}

function counts(text: string | undefined): number[] | undefined {
  return text?.split(',').map((each) => count(each)!)
}

function minutes(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,4}(\.\d+)?$/.test(text))
    return text === undefined ? undefined : Number(text)
  throw new Error(`${text} is not a number of minutes`)
}

function versionOf(name: string): string {
  const text = readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function describeMachine() {
  const names = ['better-sqlite3', '@duckdb/node-api', 'hono', '@hono/node-server', 'valibot']
  return {
    system: `${platform()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    packages: { ...Object.fromEntries(names.map((name) => [name, versionOf(name)])), ...peerVersions() },
  }
}

async function runBenchmark(
  benchmark: Benchmark,
  size: Size,
  only: readonly string[],
  folder: string,
): Promise<void> {
  const machine = describeMachine()
  const cases = benchmark
    .cases(size)
    .filter(({ label, is_long }) =>
      only.length === 0 ? is_long !== true : only.some((text) => label.includes(text)),
    )
  const measured = cases.map(({ label }): Measured => ({ label, rounds: [] }))
  const { rounds } = size
  for (let round = 0; round < rounds; round += 1) {
    for (const [i, { label, round: measure }] of cases.entries()) {
      console.error(`${benchmark.name}, round ${round + 1} of ${rounds}: ${label}`)
      measured[i]!.rounds.push(await measure(round))
    }
  }
  const { system, processor, cores, memory_gib, node, packages } = machine
  console.log(`\n## ${benchmark.name}\n\n${benchmark.question}\n\n${benchmark.method(size)}\n`)
  console.log(`${processor}, ${cores} cores, ${memory_gib} GiB, ${system}, Node ${node},`)
  console.log(
    `${Object.entries(packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.\n`,
  )
  console.log(makeTable(benchmark, measured))

  mkdirSync(folder, { recursive: true })
  const at = new Date().toISOString()
  const path = join(folder, `${benchmark.name}-${at.replaceAll(':', '')}.json`)
  writeFileSync(
    path,
    `${JSON.stringify({ benchmark: benchmark.name, at, size, machine, measured }, null, 2)}\n`,
  )
}

/** Builds the package, because the compiled program is measured and not its sources. */
async function compile(): Promise<void> {
  if (process.env[BUILD_VARIABLE] !== undefined) return
  const build = mkdtempSync(join(tmpdir(), 'frostline-build-'))
  process.once('exit', () => rmSync(build, { recursive: true }))
  await buildInto(build)
  process.env[BUILD_VARIABLE] = build
}

try {
  const { size, rounds, chosen, only, readme, out } = readOrder()
  if (readme) fillReadme(chosen)
  else {
    await compile()
    for (const benchmark of chosen) {
      const times = rounds ?? Math.min(benchmark.rounds_max ?? Infinity, size.rounds)
      await runBenchmark(benchmark, { ...size, rounds: times }, only, out)
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error, `\n${USAGE}`)
  process.exitCode = 2
}
