import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serialize } from 'node:v8'
import fc from 'fast-check'
import { CsvScanner } from '../../src/event/csv-scanner.ts'
import { createJudge } from '../../src/event/judge.ts'
import { nowMicros } from '../../src/event/time.ts'
import { judgeBody } from '../../src/ingest/judge.ts'
import { Problem } from '../../src/problem/problem.ts'
import { howMany } from '../support/counts.ts'
import { bytesOf, costlyBody } from './fuzz/costs.ts'
import type { CostlyBody } from './fuzz/costs.ts'

const SEED = Number(process.env['FROSTLINE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const decide = createJudge(nowMicros)
const EVENTS_MAX = 10_000_000

/** @returns the bytes of what the judgement consists of */
function judge({ media_type }: CostlyBody, bytes: Uint8Array<ArrayBuffer>): number {
  try {
    return serialize(judgeBody(decide, { media_type, parts: [bytes] }, EVENTS_MAX)).length
  } catch (error) {
    assert.ok(error instanceof Problem, String(error))
    return 0
  }
}

function stepsOf(bytes: Uint8Array): number {
  const scanner = new CsvScanner()
  scanner.push(bytes, true, () => {})
  return scanner.steps
}

describe('a body of repeated tokens', () => {
  /** So many that a square would be far over the limits. */
  const BYTES = 8_192
  /** A quote that is never closed is found out at the end, and then its lines are read once more. */
  const STEPS_PER_BYTE_MAX = 4
  /** A letter of one byte has a message and the names of its fields. */
  const KEPT_PER_BYTE_MAX = 512

  it(`costs a bounded number of steps and of bytes for each of its own (seed ${SEED})`, () => {
    fc.assert(
      fc.property(costlyBody, (body) => {
        const bytes = bytesOf(body, BYTES)
        const kept_bytes = judge(body, bytes)
        assert.ok(kept_bytes <= KEPT_PER_BYTE_MAX * bytes.length, `${kept_bytes} bytes`)
        if (body.media_type !== 'text/csv') return
        const steps = stepsOf(bytes)
        assert.ok(steps <= STEPS_PER_BYTE_MAX * bytes.length, `${steps} steps`)
      }),
      { seed: SEED, numRuns: howMany('costly_bodies') },
    )
  })
})

/** CPU, the least of several runs, in milliseconds. */
function cpuOf(act: () => void): number {
  let least = Infinity
  for (let run = 0; run < 3; run += 1) {
    const before = process.cpuUsage()
    act()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, (user + system) / 1_000)
  }
  return least
}

describe('the CPU for a body of repeated tokens', () => {
  const BYTES = 16 * 1024
  const TIMES = 16
  /** What is quadratic takes 256 times as long. */
  const RATIO_MAX = 100
  /** Less is too little to compare. */
  const MS_MIN = 4

  it(`grows with its bytes and not with their square (seed ${SEED})`, () => {
    fc.assert(
      fc.property(costlyBody, (body) => {
        const [small, large] = [bytesOf(body, BYTES), bytesOf(body, TIMES * BYTES)]
        const small_ms = cpuOf(() => judge(body, small))
        const large_ms = cpuOf(() => judge(body, large))
        assert.ok(
          large_ms < MS_MIN * RATIO_MAX || large_ms <= RATIO_MAX * small_ms,
          `${small_ms} ms, and ${large_ms} ms for ${TIMES} times the bytes`,
        )
      }),
      { seed: SEED, numRuns: howMany('costly_bodies_timed') },
    )
  })
})
