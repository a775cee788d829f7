import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { programOf } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { finish } from '../support/store.ts'
import { ROOT } from '../support/root.ts'

/** That the benchmarks work, and nothing about their figures: those of a shared machine prove nothing. */

const RUN = 'bench/run.ts'
/** The cases that are run of each benchmark. The first ones together pass all that benchmarks share. */
const CASES = [
  ['start', 'start'],
  ['ingest', 'random ids, 1000 a request, 16 connections, 0 hot rows'],
  ['import', 'events of'],
  ['parquet-writers', 'DuckDB COPY'],
  ['stats', 'half and half'],
  ['compact', 'a day of'],
  ['requests', '16 connections'],
  ['latency', '100 a request'],
  ['cold-ids', 'cold-ids'],
  ['soak', 'soak'],
  ['small-days', 'days of one event'],
  ['questions', '2000 events'],
] as const
const SIZES = {
  '--rounds': 1,
  '--hot-rows': 0,
  '--cold-ids': 4_000,
  '--events': howMany('bench_events'),
  '--pairs': howMany('bench_pairs'),
  '--compact-rows': 2_000,
  '--import-rows': [1_000, 300].slice(0, howMany('bench_imports')).join(),
  '--small-days': 150,
  '--minutes': howMany('bench_soak_seconds') / 60,
  '--stats-events': 2_000,
}

const runBench = (...args: string[]) => {
  const sizes = Object.entries(SIZES).flatMap(([option, value]) => [option, String(value)])
  return finish(spawn(process.execPath, [...programOf(RUN), ...sizes, ...args], { cwd: ROOT }))
}

describe('npm run bench', { timeout: HANGS_AFTER_MS }, () => {
  const out = mkdtempSync(join(tmpdir(), 'frostline-results-'))
  const cases = CASES.slice(0, howMany('benchmarks'))
  let run: Awaited<ReturnType<typeof runBench>>
  before(async () => {
    const only = cases.flatMap(([, label]) => ['--only', label])
    run = await runBench(...cases.map(([name]) => name), ...only, '--out', out)
  })
  after(() => rmSync(out, { recursive: true }))

  for (const [name] of cases) {
    it(`measures ${name}, and writes down every figure of its table`, () => {
      assert.equal(run.code, 0, run.stderr)
      const file = readdirSync(out).find((listed) => listed.startsWith(`${name}-2`))!
      const { measured } = JSON.parse(readFileSync(join(out, file), 'utf8')) as {
        measured: { label: string; rounds: Record<string, number>[] }[]
      }
      assert.ok(measured.length > 0)
      const table = run.stdout.split('\n## ').find((section) => section.startsWith(`${name}\n`))!
      for (const { label, rounds } of measured) {
        assert.ok(measured.length === 1 || table.includes(`| ${label} |`), table)
        for (const value of rounds.flatMap((round) => Object.values(round)))
          assert.ok(Number.isFinite(value), `${label}: ${JSON.stringify(rounds)}`)
      }
    })
  }

  it('says what it does not know', async () => {
    for (const args of [['nothing'], ['--rounds', 'x']]) {
      const { code, stderr } = await runBench(...args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, /usage: npm run bench/)
    }
  })
})
