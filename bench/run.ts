import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Benchmark, Size } from './benchmark.ts'
import { coldIds } from './cold-ids.ts'
import { importing } from './import.ts'
import { ingest } from './ingest.ts'
import { livez } from './livez.ts'
import { median } from './statistics.ts'

/** `npm run bench [-- <name>…] [--quick] [--rounds=N] [--cold-ids=N] [--id-version=4|7]`: asks the questions of this folder, prints a table each, writes JSON to bench/results/. */

const BENCHMARKS: readonly Benchmark[] = [ingest, importing, coldIds, livez]

const FULL: Size = { events: 100_000, rounds: 3, runs: 15, cold_ids: 10_000_000, id_version: 4, bodies: 8 }
/** To see that it works; its figures say little. */
const QUICK: Size = { events: 20_000, rounds: 1, runs: 5, cold_ids: 1_000_000, id_version: 4, bodies: 3 }

const ROOT = join(import.meta.dirname, '..')

function parseArgs(args: readonly string[]): { size: Size; chosen: readonly Benchmark[] } | string {
  let size = args.includes('--quick') ? QUICK : FULL
  const names: string[] = []
  for (const arg of args) {
    const rounds = /^--rounds=(\d{1,3})$/.exec(arg)?.[1]
    const cold_ids = /^--cold-ids=(\d{1,9})$/.exec(arg)?.[1]
    const id_version = /^--id-version=([47])$/.exec(arg)?.[1]
    if (cold_ids !== undefined && Number(cold_ids) > 0) size = { ...size, cold_ids: Number(cold_ids) }
    else if (id_version !== undefined) size = { ...size, id_version: id_version === '4' ? 4 : 7 }
    else if (rounds !== undefined && Number(rounds) > 0) size = { ...size, rounds: Number(rounds) }
    else if (BENCHMARKS.some(({ name }) => name === arg)) names.push(arg)
    else if (arg !== '--quick') {
      return `usage: npm run bench -- [${BENCHMARKS.map(({ name }) => name).join('|')}] [--quick] [--rounds=N] [--cold-ids=N] [--id-version=4|7]`
    }
  }
  return { size, chosen: BENCHMARKS.filter(({ name }) => names.length === 0 || names.includes(name)) }
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
    packages: Object.fromEntries(names.map((name) => [name, versionOf(name)])),
  }
}

function table(benchmark: Benchmark, rounds: readonly Record<string, number>[]): string {
  const lines = Object.entries(benchmark.metrics).map(([key, { label, digits }]) => {
    const values = rounds.map((round) => round[key]!)
    const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
      value.toFixed(digits),
    )
    return `| ${label} | ${middle} | ${least} to ${most} |`
  })
  return ['| | median | spread |', '|---|---:|---:|', ...lines].join('\n')
}

async function runBenchmark(benchmark: Benchmark, size: Size): Promise<void> {
  const machine = describeMachine()
  const rounds: Record<string, number>[] = []
  for (let round = 0; round < size.rounds; round += 1) {
    console.error(`${benchmark.name}: round ${round + 1} of ${size.rounds}`)
    rounds.push(await benchmark.round(size, round))
  }
  const { system, processor, cores, memory_gib, node, packages } = machine
  console.log(`\n## ${benchmark.name}\n\n${benchmark.question}\n\n${benchmark.method(size)}\n`)
  console.log(`${processor}, ${cores} cores, ${memory_gib} GiB, ${system}, Node ${node},`)
  console.log(
    `${Object.entries(packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.\n`,
  )
  console.log(table(benchmark, rounds))

  const folder = join(import.meta.dirname, 'results')
  mkdirSync(folder, { recursive: true })
  const at = new Date().toISOString()
  const path = join(folder, `${benchmark.name}-${at.replaceAll(':', '')}.json`)
  writeFileSync(
    path,
    `${JSON.stringify({ benchmark: benchmark.name, at, size, machine, rounds }, null, 2)}\n`,
  )
}

const parsed = parseArgs(process.argv.slice(2))
if (typeof parsed === 'string') {
  console.error(parsed)
  process.exitCode = 2
} else {
  for (const benchmark of parsed.chosen) await runBenchmark(benchmark, parsed.size)
}
