import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parseInstant } from '../../src/event/time.ts'
import { printFilter } from '../../src/filter/print.ts'
import { openEngine } from '../../src/query/engine.ts'
import type { Engine } from '../../src/query/engine.ts'
import { answerOf } from '../../src/questions/parts/answer.ts'
import { QUESTIONS } from '../../src/questions/table.ts'
import { openStoreForReading } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { askedFor } from '../support/asked.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { pick, seeded } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { post } from '../support/store.ts'
import {
  below,
  makeCommon,
  makeFilter,
  makeGroups,
  makeHistory,
  makeNow,
  makeRange,
  makeStep,
} from './histories.ts'
import type { History, Random } from './histories.ts'
import type { PlainEvent } from './reference/events.ts'
import { REFERENCE } from './reference/questions.ts'
import { wordsOf } from './reference/questions.ts'
import { dateOf } from '../support/calendar.ts'

/**
 * Random questions about random histories, each answered by the engine and by the reference in plain TypeScript. Events come twice and late;
 * some days are hot, some cold, some both. One question again: FROSTLINE_SEED=17 node tests/run.js questions/differential.
 */
const ONLY_SEED = process.env['FROSTLINE_SEED']
const SEEDS = howMany('questions_asked_of_the_reference')
/** Of which each has as many questions. */
const HISTORIES = 10

const FILTERS = 2 * SEEDS

const DAYS = ['day', 'week', 'month'] as const

function makeNames(history: History, random: Random): Record<string, string> {
  return {
    ...makeRange(history, random),
    ...(random() < 0.4 ? { search: pick(random, ['E', 'p', '1', 'zzz']) } : {}),
    ...(random() < 0.5 ? { limit: String(1 + below(random, 4)) } : {}),
  }
}

/** So that sets can answer: all events or some types, by UTC day, and nothing that needs more. */
function makeSimple(
  random: Random,
  given: Record<string, string | string[]>,
): Record<string, string | string[]> {
  const query = Object.fromEntries(
    Object.entries(given).filter(([name]) => !['group_by', 'start', 'return'].includes(name)),
  )
  const types = ['open', 'view', 'none']
  return {
    ...query,
    ...('window' in query ? { window: pick(random, DAYS), cohort: 'active' } : {}),
    ...('interval' in query ? { interval: pick(random, DAYS) } : {}),
    ...('measure' in query ? { measure: pick(random, ['events', 'users', 'events_per_user']) } : {}),
    ...(random() < 0.3 ? { week_start: 'sunday' } : {}),
    ...(random() < 0.4
      ? {}
      : { where: `event_type in (${types.filter(() => random() < 0.6).join(', ') || 'none'})` }),
  }
}

/** How each question is asked. */
const PARAMETERS: Readonly<
  Record<string, (history: History, random: Random) => Record<string, string | string[]>>
> = {
  dau: (history, random) => ({ ...makeRange(history, random), ...makeGroups(random) }),
  'top-events': (history, random) => ({ ...makeRange(history, random), limit: String(1 + below(random, 6)) }),
  retention(history, random) {
    const windows = 1 + below(random, 6)
    const kind = pick(random, ['n-day', 'unbounded', 'bracket'])
    const step = () => (random() < 0.5 ? [] : [makeStep(random)])
    const [start, back] = [step(), step()]
    const one: Record<string, string> =
      random() < 0.5 ? { cohorts: String(1 + below(random, 4)) } : makeGroups(random)
    return {
      start_date: makeRange(history, random).from,
      windows: String(windows),
      window: pick(random, ['day', '24h', 'day', 'week', 'month', '24h']),
      kind,
      ...(kind === 'bracket'
        ? { brackets: windows > 2 ? `1,${windows - 1},${windows}` : String(windows) }
        : {}),
      cohort: pick(random, ['active', 'first']),
      ...(start.length > 0 ? { start: start[0]! } : {}),
      ...(back.length > 0 ? { return: back[0]! } : {}),
      ...one,
    }
  },
  'active-users': (history, random) => ({
    ...makeRange(history, random),
    ...(random() < 0.7 ? { mau_days: String(1 + below(random, 12)) } : {}),
  }),
  stickiness: (history, random) => ({ ...makeRange(history, random), interval: pick(random, DAYS) }),
  lifecycle: (history, random) => ({ ...makeRange(history, random), interval: pick(random, DAYS) }),
  paths: (history, random) => ({
    ...makeRange(history, random),
    [pick(random, ['start', 'end'])]: makeStep(random),
    depth: String(1 + below(random, 5)),
    top: String(1 + below(random, 3)),
  }),
  'event-types': makeNames,
  properties: makeNames,
  'property-values': (history, random) => ({
    ...makeNames(history, random),
    property: pick(random, [
      'properties.plan',
      'properties.price',
      'properties.a',
      'properties.a.b',
      'properties.none',
    ]),
  }),
  funnel: (history, random) => ({
    ...makeRange(history, random),
    step: Array.from({ length: 2 + below(random, 3) }, () => makeStep(random)),
    within: pick(random, ['30m', '6h', '1d', '3d', '30d']),
    order: pick(random, ['ordered', 'strict', 'any']),
    ...(random() < 0.3 ? { exclude: [makeStep(random)] } : {}),
    ...makeGroups(random),
  }),
  sessions: (history, random) => ({
    ...makeRange(history, random),
    interval: pick(random, ['hour', ...DAYS]),
    gap: pick(random, ['30m', '1h', '900s', '12h', '24h']),
  }),
  trend: (history, random) => ({
    ...makeRange(history, random),
    interval: pick(random, ['hour', 'day', 'week', 'month']),
    measure: pick(random, [
      'events',
      'users',
      'events_per_user',
      ...['sum', 'avg', 'min', 'max', 'p50', 'p90', 'p99'].map((name) => `${name}:price`),
    ]),
    ...(random() < 0.4 ? { compare: 'previous' } : {}),
    ...makeGroups(random),
  }),
}

function plain({ occurred_at, user_id, ...event }: SampleEvent): PlainEvent {
  return { ...event, user_id: String(user_id), at_us: parseInstant(occurred_at)! }
}

describe('every question', () => {
  const home = createInProcessStore()
  const histories = Array.from({ length: HISTORIES }, (_, n) => makeHistory(n, seeded(n)))
  const stored = histories.map(({ events }) => [
    ...new Map(events.map((event) => [event.event_id, plain(event)])).values(),
  ])
  let db: Sqlite
  let engine: Engine
  /** Answers from events alone. */
  let reading: Engine
  before(async () => {
    await home.start()
    const parts: [SampleEvent[], SampleEvent[]] = [[], []]
    // A third of them is only hot, a third only cold, and the rest both.
    for (const [n, { events }] of histories.entries()) {
      for (const [i, event] of events.entries()) parts[n % 3 === 0 ? 1 : n % 3 === 1 ? 0 : i % 2]!.push(event)
    }
    await postAllOnce(home.url, parts[0])
    await home.compact()
    await postAllOnce(home.url, parts[1])
    await home.stop()
    db = openStoreForReading(home.layout.database)
    engine = await openEngine(db, home.layout, { threads: 1, memory_mb: 256 })
    reading = await openEngine(db, home.layout, { threads: 1, memory_mb: 256, uses_sets: false })
  })
  after(async () => {
    await engine.close()
    await reading.close()
    db.close()
    await home.remove()
  })

  for (const { name, from_user_days } of QUESTIONS) {
    const seeds =
      ONLY_SEED === undefined ? Array.from({ length: SEEDS }, (_, seed) => seed) : [Number(ONLY_SEED)]
    it(`${name} is answered as the reference does, ${seeds.length} times`, async () => {
      let from_sets = 0
      for (const seed of seeds) {
        const random = seeded(seed * 7 + name.length)
        const n = seed % HISTORIES
        const history = histories[n]!
        const given = PARAMETERS[name]!(history, random)
        // Every second time, a question that sets can answer is asked so that they can.
        const query =
          from_user_days === undefined || seed % 2 === 0
            ? { ...given, ...makeCommon(history, random) }
            : makeSimple(random, given)
        const asked = askedFor(name, query, makeNow(history, random))
        const { signal } = new AbortController()
        const { rows, answered_from } = await engine.ask(asked, signal)
        const expected = REFERENCE[name]!(wordsOf(stored[n]!, asked))
        const told = `FROSTLINE_SEED=${seed} ${name} ${JSON.stringify(query)} now ${dateOf(Math.floor(asked.now_us / 86_400_000_000))}`
        assert.deepEqual(JSON.parse(JSON.stringify(answerOf(asked, rows))), expected, told)
        if (answered_from === 'events') continue
        from_sets += 1
        const read = await reading.ask(asked, signal)
        assert.deepEqual(answerOf(asked, read.rows), answerOf(asked, rows), told)
      }
      assert.ok(ONLY_SEED !== undefined || from_sets > 0 === (from_user_days !== undefined), `${from_sets}`)
    })
  }

  it(`a filter lets through what the reference does, ${FILTERS} times`, async () => {
    for (let n = 0; n < FILTERS; n += 1) {
      const random = seeded(n)
      const { from, to } = histories[n % HISTORIES]!
      const where = printFilter(makeFilter(random, 3))
      const asked = askedFor(
        'top-events',
        { from: dateOf(from), to: dateOf(to), where },
        makeNow({ from, to }, random),
      )
      const { rows } = await engine.ask(asked, new AbortController().signal)
      const expected = REFERENCE['top-events']!(wordsOf(stored[n % HISTORIES]!, asked))
      assert.deepEqual(JSON.parse(JSON.stringify(answerOf(asked, rows))), expected, where)
    }
  })
})

async function postAllOnce(url: string, events: readonly SampleEvent[]): Promise<void> {
  const { status, json } = await post(`${url}/events`, events)
  assert.equal(status, 200)
  assert.equal(json['rejected'], 0)
}
