import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import type { SampleEvent } from '../support/sample.ts'
import { describeVerdict, runKillLoop } from './torture/kill-loop.ts'
import { createOracle, outOfBounds } from './torture/oracle.ts'
import type { StoredEvent } from '../support/visible.ts'

/** The short form of `npm run torture`. Other choices: FROSTLINE_SEED. */

const KILLS = howMany('torture_kills')
const BATCHES_PER_KILL = howMany('torture_batches_per_kill')
/** A limit for a machine that hangs; nothing is measured by it. */
const MINUTES_MAX = 12
const SEED = Number(process.env['FROSTLINE_SEED'] ?? Date.now() % 100_000)

const event = (event_id: string, user_id = 'anna', event_type = 'app_open'): SampleEvent => ({
  event_id,
  occurred_at: '2025-08-01T12:00:00.000Z',
  user_id,
  event_type,
  properties: {},
})
const stored = ({ event_id, occurred_at, user_id, event_type }: SampleEvent): StoredEvent => ({
  event_id,
  occurred_at_us: Date.parse(occurred_at) * 1_000,
  user_id: String(user_id),
  event_type,
  properties: '{}',
})

describe('the oracle of the kill loop', () => {
  it('misses what was acknowledged, and only that', () => {
    const oracle = createOracle()
    oracle.send([event('a'), event('b')])
    oracle.acknowledge([event('a')])
    assert.deepEqual(oracle.judge([]).lost, ['a'])
    assert.deepEqual([oracle.sent, oracle.acknowledged], [2, 1])
  })

  it('finds what is stored twice, and what was never sent', () => {
    const oracle = createOracle()
    oracle.send([event('a')])
    const { duplicated, invented } = oracle.judge([event('a'), event('a'), event('x')].map(stored))
    assert.deepEqual([duplicated, invented], [['a'], ['x']])
  })

  it('takes any content sent before the first acknowledgement, and none sent after it', () => {
    const oracle = createOracle()
    oracle.send([event('a', 'first')])
    oracle.send([event('a', 'second'), event('a', 'not even written')])
    oracle.acknowledge([event('a')])
    oracle.send([event('a', 'too late')])
    const alteredBy = (user: string) => oracle.judge([stored(event('a', user))]).altered
    assert.deepEqual([alteredBy('first'), alteredBy('second')], [[], []])
    assert.deepEqual([alteredBy('not even written'), alteredBy('too late')], [['a'], ['a']])
  })

  it('bounds every answer by what is certain and what is possible', () => {
    const oracle = createOracle()
    oracle.send([event('a'), event('b', 'bert')])
    oracle.acknowledge([event('a')])
    const wrong = (count: number, dau: number) =>
      outOfBounds(
        oracle.certain(),
        oracle.possible(),
        count === 0 ? [] : [{ event_type: 'app_open', count }],
        [{ date: '2025-08-01', dau }],
      ).length
    assert.deepEqual([wrong(1, 1), wrong(2, 2)], [0, 0])
    // Wrong as a whole and for its type.
    assert.deepEqual([wrong(0, 1), wrong(3, 1)], [2, 2])
    assert.deepEqual([wrong(1, 0), wrong(1, 3)], [1, 1])
  })
})

describe(`processes that are killed one after another (seed ${SEED})`, () => {
  it(`lose nothing, count nothing twice and never answer wrong in ${KILLS} kills`, async (t) => {
    const verdict = await runKillLoop({
      kills: KILLS,
      minutes: MINUTES_MAX,
      seed: SEED,
      batches_per_kill: BATCHES_PER_KILL,
    })
    t.diagnostic(describeVerdict(verdict, SEED))
    assert.deepEqual(verdict.findings, [], `kept in ${verdict.folder}`)
    const { service, compactor, importer } = verdict.kills
    assert.ok(service + compactor + importer >= KILLS)
    for (const kills of [service, compactor, importer]) assert.ok(kills > 0)
    assert.ok(verdict.questions > 0 && verdict.finished > 0)
  })
})
