import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { programOf } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { finish } from '../support/store.ts'
import { ROOT } from '../support/root.ts'

/** That the benchmarks work, and nothing about their figures: those of a shared machine prove nothing. */

const RUN = 'bench/run.ts'
const SIZES = [
  '--rounds',
  '1',
  '--hot-rows',
  '0,500',
  '--cold-ids',
  '4000',
  '--events',
  String(howMany('bench_events')),
  '--pairs',
  String(howMany('bench_pairs')),
]
const JOB_SIZES = [
  '--compact-rows',
  '5000',
  '--import-rows',
  '4000,5000',
  '--minutes',
  String(howMany('bench_soak_seconds') / 60),
  '--stats-events',
  '10000',
]

describe('npm run bench', { timeout: HANGS_AFTER_MS }, () => {
  const out = mkdtempSync(join(tmpdir(), 'frostline-results-'))
  after(() => rmSync(out, { recursive: true }))
  const bench = (...args: string[]) =>
    finish(
      spawn(process.execPath, [...programOf(RUN), ...SIZES, ...JOB_SIZES, ...args, '--out', out], {
        cwd: ROOT,
      }),
    )

  for (const [name, only] of [
    ['start', ''],
    ['ingest', 'random ids, 1000 a request, 16'],
    ['requests', '16'],
    ['latency', '100 a request'],
    ['import', ''],
    ['compact', ''],
    ['soak', ''],
    ['cold-ids', ''],
    ['stats', 'half and half'],
    ['parquet-writers', ''],
  ] as const) {
    it(`measures ${name}, and writes down every figure of its table`, async () => {
      const { code, stdout, stderr } = await bench(name, '--only', only)
      assert.equal(code, 0, stderr)
      const file = readdirSync(out).find((listed) => listed.startsWith(`${name}-2`))!
      const { measured } = JSON.parse(readFileSync(join(out, file), 'utf8')) as {
        measured: { label: string; rounds: Record<string, number>[] }[]
      }
      assert.ok(measured.length > 0)
      for (const { label, rounds } of measured) {
        assert.ok(measured.length === 1 || stdout.includes(`| ${label} |`), stdout)
        for (const value of rounds.flatMap((round) => Object.values(round)))
          assert.ok(Number.isFinite(value), `${label}: ${JSON.stringify(rounds)}`)
      }
    })
  }

  it('says what it does not know', async () => {
    for (const args of [['nothing'], ['--rounds', 'x'], ['--faster']]) {
      const { code, stderr } = await bench(...args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, /usage: npm run bench/)
    }
  })
})
