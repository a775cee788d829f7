import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createTestStore, get, post } from './store.ts'
import type { ServiceProcess, TestStore } from './store.ts'
import { eventOf } from './wire.ts'

interface Meta {
  hot_events: number
  cold_events: number
  cold_files: number
  took_ms: number
}

interface Dau {
  from: string
  to: string
  data: { date: string; dau: number }[]
  meta: Meta
}

interface TopEvents {
  data: { event_type: string; count: number }[]
  meta: Meta
}

interface Problem {
  type: string
  status: number
  detail: string
  errors: { path: string; message: string }[]
}

interface Tiers {
  hot: { events: number; days: number }
  cold: {
    events: number
    files: number
    bytes: number
    days: { day: string; events: number; files: number; bytes: number; sealed_through: number }[]
  }
}

const at = (user_id: string | number, occurred_at: string, fields: Record<string, unknown> = {}) =>
  eventOf({ user_id, occurred_at, ...fields })

const query = (parameters: Record<string, string | string[]>) =>
  Object.entries(parameters)
    .flatMap(([name, values]) => [values].flat().map((value) => [name, value]))
    .map((pair) => pair.map((part) => encodeURIComponent(part!)).join('='))
    .join('&')

/** Events by name: the name becomes their type, so that an answer says which of them matched. */
const FILTERED: [name: string, properties: Record<string, unknown>][] = [
  ['ua', { country: 'UA' }],
  ['pl', { country: 'PL' }],
  ['pl2', { country: 'PL', city: 'Łódź' }],
  ['lower', { country: 'ua' }],
  ['nobody', { country: null }],
  ['none', {}],
  ['nested', { country: { country: 'UA' }, a: { b: 1 } }],
  ['list', { country: ['UA'] }],
  ['slash', { 'a/b': 'x', a: { b: 'x' } }],
  ['tilde', { 'a~b': 'x', 'a~1b': 'tilde one' }],
  ['dot', { 'a.b': 'x' }],
  ['colon', { 'a:b': 'x' }],
  ['not_colon', { a: 'b:x' }],
  ['double', { 'a"b': 'x' }],
  ['single', { "a'b": "it's" }],
  ['space', { 'a b': ' x y ' }],
  ['back', { 'a\\b': 'C:\\dir' }],
  ['dollar', { '$.country': 'UA', $1: '$1' }],
  ['star', { '*': 'UA', '[0]': 'x' }],
  ['proto', { constructor: 'x', toString: 'y', ['__proto__']: 'z' }],
  ['unicode', { краіна: 'УА', '🦓': '🦓' }],
  ['comma', { city: 'Kyiv, UA' }],
  ['kyiv', { city: 'Kyiv' }],
  ['injection', { city: "x' OR '1'='1" }],
  ['drop', { city: "'; DROP TABLE hot; --" }],
  ['percent', { city: '%' }],
  ['nul', { 'n\0l': 'a\0b', country: 'N\0' }],
  ['n95', { n: 95 }],
  ['n95.5', { n: 95.5 }],
  ['t95', { n: '95' }],
  ['t95.0', { n: '95.0' }],
  ['n0', { n: 0 }],
  ['n-7', { n: -7 }],
  ['n1e21', { n: 1e21 }],
  ['n0.1', { n: 0.1 }],
  ['big', { n: 2 ** 53 }],
  ['max', { n: Number.MAX_VALUE }],
  ['true', { flag: true }],
  ['false', { flag: false }],
  ['text_true', { flag: 'true' }],
  ['one', { flag: 1 }],
]

const FILTERS: [what: string, parameters: Record<string, string | string[]>, matched: string[]][] = [
  ['a text', { segment: 'properties.country:UA' }, ['ua']],
  ['a text in the short form', { 'properties.country': 'UA' }, ['ua']],
  ['any of several texts', { segment: 'properties.country:UA,PL' }, ['ua', 'pl', 'pl2']],
  ['any of several texts in the short form', { 'properties.country': 'UA,PL' }, ['ua', 'pl', 'pl2']],
  ['all of several segments', { segment: ['properties.country:UA,PL', 'properties.city:Łódź'] }, ['pl2']],
  ['both forms together', { segment: 'properties.country:PL', 'properties.city': 'Łódź' }, ['pl2']],
  ['a short form given twice as two segments', { 'properties.country': ['UA', 'PL'] }, []],
  ['null by no text', { 'properties.country': 'null' }, []],
  ['a key with /', { 'properties.a/b': 'x' }, ['slash']],
  ['a key with ~', { 'properties.a~b': 'x' }, ['tilde']],
  ['a key with ~1', { 'properties.a~1b': 'tilde one' }, ['tilde']],
  ['a key with a dot, which is no path', { segment: 'properties.a.b:x' }, ['dot']],
  ['a key with a colon in the short form', { 'properties.a:b': 'x' }, ['colon']],
  ['a value with a colon', { segment: 'properties.a:b:x' }, ['not_colon']],
  ['a key with "', { segment: 'properties.a"b:x' }, ['double']],
  ["a key and a value with '", { "properties.a'b": "it's" }, ['single']],
  ['spaces as they are', { 'properties.a b': ' x y ' }, ['space']],
  ['spaces at the ends only where they were sent', { 'properties.a b': 'x y' }, []],
  ['a backslash', { 'properties.a\\b': 'C:\\dir' }, ['back']],
  ['an escaped backslash', { 'properties.a\\b': 'C:\\\\dir' }, ['back']],
  ['a key that looks like a JSON path', { 'properties.$.country': 'UA' }, ['dollar']],
  ['a key that looks like a parameter', { 'properties.$1': '$1' }, ['dollar']],
  ['a key that looks like a wildcard', { 'properties.*': 'UA' }, ['star']],
  ['a key that looks like an index', { 'properties.[0]': 'x' }, ['star']],
  ['a key that every object has', { 'properties.constructor': 'x' }, ['proto']],
  ['the key __proto__', { 'properties.__proto__': 'z' }, ['proto']],
  ['a key in another script', { 'properties.краіна': 'УА' }, ['unicode']],
  ['a key and a value beyond the BMP', { 'properties.🦓': '🦓' }, ['unicode']],
  ['an escaped comma', { segment: 'properties.city:Kyiv\\, UA' }, ['comma']],
  ['on both sides of a comma that is not escaped', { segment: 'properties.city:Kyiv, UA' }, ['kyiv']],
  ['SQL as text', { 'properties.city': "x' OR '1'='1" }, ['injection']],
  ['more SQL as text', { 'properties.city': "'; DROP TABLE hot; --" }, ['drop']],
  ['SQL in a key as text', { "properties.city') OR 1=1 --": 'x' }, []],
  ['a percent sign as text', { 'properties.city': '%' }, ['percent']],
  ['a number and its text', { 'properties.n': '95' }, ['n95', 't95']],
  ['a number however it is written', { 'properties.n': '95.0' }, ['n95', 't95.0']],
  ['a number with an exponent', { 'properties.n': '9.5e1' }, ['n95']],
  ['a fraction', { 'properties.n': '95.50' }, ['n95.5']],
  ['numbers among texts', { 'properties.n': '95,x,0' }, ['n95', 't95', 'n0']],
  ['zero, negative or not', { 'properties.n': '-0' }, ['n0']],
  ['a negative number', { 'properties.n': '-7.0' }, ['n-7']],
  ['a number beyond 64 bits', { 'properties.n': '1e21' }, ['n1e21']],
  ['a number beyond 64 bits, written out', { 'properties.n': '1000000000000000000000' }, ['n1e21']],
  ['0.1', { 'properties.n': '0.10' }, ['n0.1']],
  ['2^53', { 'properties.n': '9007199254740992' }, ['big']],
  ['the largest number', { 'properties.n': '1.7976931348623157e308' }, ['max']],
  ['no number by a text that is none', { 'properties.n': '0x5f, 95 ,95.,.1,+95' }, []],
  ['no number by Infinity', { 'properties.n': 'Infinity,NaN,1e999' }, []],
  ['true and its text', { 'properties.flag': 'true' }, ['true', 'text_true']],
  ['false', { 'properties.flag': 'false' }, ['false']],
  ['1, which is not true', { 'properties.flag': '1' }, ['one']],
]

const repeat = (count: number, text: string, separator: string) =>
  Array.from({ length: count }, () => text).join(separator)

describe('questions', () => {
  let store: TestStore
  let service: ServiceProcess
  before(async () => {
    store = createTestStore()
    service = await store.serve()
  })
  after(() => store.remove())

  const put = async (events: readonly unknown[]) => {
    const { status, json } = await post(`${service.url}/events`, events)
    assert.equal(status, 200)
    assert.equal(json['accepted'], events.length)
  }

  async function ask<T>(route: string, parameters: Record<string, string | string[]>): Promise<T> {
    const { status, json } = await get<T>(`${service.url}${route}?${query(parameters)}`)
    assert.equal(status, 200, JSON.stringify(json))
    return json
  }

  // Every group of events lies on days of its own; all of them are long closed.
  before(async () => {
    // Daily users.
    await put([
      at('u1', '2024-01-01T00:00:00Z'),
      at('u1', '2024-01-01T09:00:00Z', { event_type: 'purchase' }),
      at('u2', '2024-01-01T23:59:59.999999Z'),
      at('u2', '2024-01-02T00:00:00Z'),
      at('u1', '2024-01-03T12:00:00Z'),
      at('u3', '2024-01-05T23:59:59.999999Z'),
      at('u4', '2023-12-31T23:59:59.999999Z'),
      at('u4', '2024-01-06T00:00:00Z'),
    ])
    // Ties.
    const counts = { banana: 2, apple: 2, Zebra: 2, cherry: 3, äpfel: 2, once: 1 }
    for (const [event_type, count] of Object.entries(counts)) {
      await put(Array.from({ length: count }, () => at('u1', '2024-02-01T10:00:00Z', { event_type })))
    }
    await put(Array.from({ length: 12 }, (_, i) => at('u1', '2024-02-02', { event_type: `type_${10 + i}` })))
    // Daily retention: a, b and c are the cohort of March 1.
    await put([
      at('a', '2024-03-01T00:00:00Z', { event_type: 'buy' }),
      at('b', '2024-03-01T10:00:00Z'),
      at('c', '2024-03-01T23:59:59.999999Z'),
      at('a', '2024-03-02T00:00:00Z'),
      at('a', '2024-03-02T01:00:00Z', { event_type: 'buy' }),
      at('b', '2024-03-02T23:59:59.999999Z'),
      at('stranger', '2024-03-02T12:00:00Z'),
      at('stranger', '2024-03-03T12:00:00Z'),
      at('c', '2024-03-04T12:00:00Z', { event_type: 'buy' }),
      at('b', '2024-03-05T00:00:00Z'),
    ])
    // Weekly retention: a, b and c are the cohort of the week from April 1 to 7.
    await put([
      at('a', '2024-04-01T00:00:00Z'),
      at('c', '2024-04-03T10:00:00Z'),
      at('a', '2024-04-05T10:00:00Z'),
      at('b', '2024-04-07T23:59:59.999999Z'),
      at('early', '2024-03-31T23:59:59.999999Z'),
      at('a', '2024-04-08T00:00:00Z'),
      at('b', '2024-04-14T23:59:59.999999Z'),
      at('b', '2024-04-09T10:00:00Z'),
      at('early', '2024-04-09T10:00:00Z'),
      at('c', '2024-04-15T00:00:00Z'),
      at('a', '2024-04-29T00:00:00Z'),
    ])
    await put(
      FILTERED.map(([event_type, properties]) => at('u', '2024-05-01T10:00:00Z', { event_type, properties })),
    )
    await put([
      at('buyer', '2024-05-02T10:00:00Z', { event_type: 'purchase', properties: { country: 'UA' } }),
      at('buyer', '2024-05-02T11:00:00Z', { event_type: 'view', properties: { country: 'UA' } }),
      at(7, '2024-05-02T10:00:00Z', { event_type: 'purchase', properties: { country: 'PL' } }),
      at('8', '2024-05-02T10:00:00Z', { event_type: 'view', properties: { country: 'PL' } }),
    ])
  })

  for (const tier of ['hot', 'cold'] as const) {
    describe(`over ${tier} events`, () => {
      if (tier === 'cold') {
        before(async () => {
          const run = await store.cli(['compact', '--json'])
          assert.equal(run.code, 0, run.stderr)
        })
      }

      describe('/stats/dau', () => {
        it('answers every day of the range, both ends included, and zero where nobody came', async () => {
          const answer = await ask<Dau>('/stats/dau', { from: '2024-01-01', to: '2024-01-05' })
          assert.equal(answer.from, '2024-01-01')
          assert.equal(answer.to, '2024-01-05')
          assert.deepEqual(answer.data, [
            { date: '2024-01-01', dau: 2 },
            { date: '2024-01-02', dau: 1 },
            { date: '2024-01-03', dau: 1 },
            { date: '2024-01-04', dau: 0 },
            { date: '2024-01-05', dau: 1 },
          ])
        })

        it('answers a single day', async () => {
          const answer = await ask<Dau>('/stats/dau', { from: '2024-01-05', to: '2024-01-05' })
          assert.deepEqual(answer.data, [{ date: '2024-01-05', dau: 1 }])
        })

        it('answers days of which nothing is known', async () => {
          const answer = await ask<Dau>('/stats/dau', { from: '1999-12-31', to: '2000-03-01' })
          assert.equal(answer.data.length, 62)
          assert.ok(answer.data.every(({ dau }) => dau === 0))
          assert.equal(answer.data.find(({ date }) => date === '2000-02-29')?.dau, 0)
        })

        it('answers ten years, and the ends of the calendar', async () => {
          const years = await ask<Dau>('/stats/dau', { from: '2020-01-01', to: '2030-01-07' })
          assert.equal(years.data.length, 3_660)
          const first = await ask<Dau>('/stats/dau', { from: '1970-01-01', to: '1970-01-01' })
          assert.equal(first.data.length, 1)
          const last = await ask<Dau>('/stats/dau', { from: '9999-12-31', to: '9999-12-31' })
          assert.deepEqual(last.data, [{ date: '9999-12-31', dau: 0 }])
        })

        it('says what was read', async () => {
          const { meta } = await ask<Dau>('/stats/dau', { from: '2024-01-01', to: '2024-01-05' })
          const { took_ms, ...read } = meta
          assert.ok(took_ms >= 0)
          assert.deepEqual(
            read,
            tier === 'hot'
              ? { hot_events: 6, cold_events: 0, cold_files: 0 }
              : { hot_events: 0, cold_events: 6, cold_files: 4 },
          )
          const nothing = await ask<Dau>('/stats/dau', { from: '2024-01-04', to: '2024-01-04' })
          assert.deepEqual(
            [nothing.meta.hot_events, nothing.meta.cold_events, nothing.meta.cold_files],
            [0, 0, 0],
          )
        })
      })

      describe('/stats/top-events', () => {
        const day = { from: '2024-02-01', to: '2024-02-01' }

        it('sorts by count, and what is equal by the bytes of its name', async () => {
          const answer = await ask<TopEvents>('/stats/top-events', day)
          assert.deepEqual(
            answer.data.map(({ event_type, count }) => [event_type, count]),
            [
              ['cherry', 3],
              ['Zebra', 2],
              ['apple', 2],
              ['banana', 2],
              ['äpfel', 2],
              ['once', 1],
            ],
          )
        })

        it('stops at the limit, within a tie too, and at 10 without one', async () => {
          const three = await ask<TopEvents>('/stats/top-events', { ...day, limit: '3' })
          assert.deepEqual(
            three.data.map(({ event_type }) => event_type),
            ['cherry', 'Zebra', 'apple'],
          )
          const ten = await ask<TopEvents & Record<string, unknown>>('/stats/top-events', {
            from: '2024-02-02',
            to: '2024-02-02',
          })
          assert.equal(ten['limit'], 10)
          assert.equal(ten.data.length, 10)
          assert.equal(ten.data.at(-1)!.event_type, 'type_19')
          const all = await ask<TopEvents>('/stats/top-events', {
            from: '2024-02-02',
            to: '2024-02-02',
            limit: '1000',
          })
          assert.equal(all.data.length, 12)
        })

        it('counts both ends of the range', async () => {
          const parameters = { from: '2024-01-01', to: '2024-01-05', segment: 'event_type:app_open' }
          const answer = await ask<TopEvents>('/stats/top-events', parameters)
          assert.deepEqual(answer.data, [{ event_type: 'app_open', count: 5 }])
        })

        it('answers an empty list where nothing happened', async () => {
          const answer = await ask<TopEvents>('/stats/top-events', { from: '2001-01-01', to: '2001-02-01' })
          assert.deepEqual(answer.data, [])
        })
      })

      describe('/stats/retention', () => {
        it('follows the users of a day through the days after it', async () => {
          const { meta, ...answer } = await ask<{ meta: Meta }>('/stats/retention', {
            start_date: '2024-03-01',
            windows: '4',
            window: 'day',
          })
          assert.deepEqual(answer, {
            start_date: '2024-03-01',
            window: 'day',
            windows: 4,
            cohort_size: 3,
            data: [
              { window: 1, from: '2024-03-02', to: '2024-03-02', users: 2, rate: 0.6667 },
              { window: 2, from: '2024-03-03', to: '2024-03-03', users: 0, rate: 0 },
              { window: 3, from: '2024-03-04', to: '2024-03-04', users: 1, rate: 0.3333 },
              { window: 4, from: '2024-03-05', to: '2024-03-05', users: 1, rate: 0.3333 },
            ],
          })
          assert.equal(meta.hot_events + meta.cold_events, 10)
        })

        it('follows the users of a week through the weeks after it', async () => {
          const { meta, ...answer } = await ask<{ meta: Meta }>('/stats/retention', {
            start_date: '2024-04-01',
            windows: '3',
            window: 'week',
          })
          assert.deepEqual(answer, {
            start_date: '2024-04-01',
            window: 'week',
            windows: 3,
            cohort_size: 3,
            data: [
              { window: 1, from: '2024-04-08', to: '2024-04-14', users: 2, rate: 0.6667 },
              { window: 2, from: '2024-04-15', to: '2024-04-21', users: 1, rate: 0.3333 },
              { window: 3, from: '2024-04-22', to: '2024-04-28', users: 0, rate: 0 },
            ],
          })
          assert.equal(meta.hot_events + meta.cold_events, 9)
        })

        it('has three windows of a day unless told otherwise', async () => {
          const answer = await ask<{ windows: number; window: string; data: unknown[] }>('/stats/retention', {
            start_date: '2024-03-01',
          })
          assert.deepEqual([answer.windows, answer.window, answer.data.length], [3, 'day', 3])
        })

        it('holds a segment against the cohort and against those who return', async () => {
          const answer = await ask<{ cohort_size: number; data: { users: number }[] }>('/stats/retention', {
            start_date: '2024-03-01',
            segment: 'event_type:buy',
          })
          assert.equal(answer.cohort_size, 1)
          assert.deepEqual(
            answer.data.map(({ users }) => users),
            [1, 0, 0],
          )
        })

        it('of an empty cohort is zero', async () => {
          const answer = await ask<{ cohort_size: number; data: { users: number; rate: number }[] }>(
            '/stats/retention',
            { start_date: '2001-01-01', windows: '366', window: 'week' },
          )
          assert.equal(answer.cohort_size, 0)
          assert.equal(answer.data.length, 366)
          assert.ok(answer.data.every(({ users, rate }) => users === 0 && rate === 0))
        })
      })

      describe('a filter', () => {
        for (const [what, parameters, matched] of FILTERS) {
          it(`matches ${what}`, async () => {
            const day = { from: '2024-05-01', to: '2024-05-01' }
            const answer = await ask<TopEvents>('/stats/top-events', { ...day, limit: '1000', ...parameters })
            assert.deepEqual(
              answer.data.map(({ event_type }) => event_type),
              matched.toSorted(),
            )
          })
        }

        it('by event type or user counts only those events, on every route', async () => {
          const day = { from: '2024-05-02', to: '2024-05-02' }
          const count = async (segment: string | string[]) =>
            (await ask<Dau>('/stats/dau', { ...day, segment })).data[0]!.dau
          assert.equal(await count('event_type:purchase'), 2)
          assert.equal(await count('event_type:purchase,view'), 3)
          assert.equal(await count('event_type:Purchase'), 0)
          assert.equal(await count('user_id:7,8,9'), 2)
          assert.equal(await count(['event_type:purchase', 'properties.country:UA']), 1)
          assert.equal(await count(['event_type:purchase', 'event_type:view']), 0)
          const top = await ask<TopEvents>('/stats/top-events', { ...day, 'properties.country': 'UA' })
          assert.deepEqual(top.data, [
            { event_type: 'purchase', count: 1 },
            { event_type: 'view', count: 1 },
          ])
          const retention = await ask<{ cohort_size: number }>('/stats/retention', {
            start_date: '2024-05-02',
            'properties.country': 'PL',
          })
          assert.equal(retention.cohort_size, 2)
        })
      })
    })
  }

  it('count an event in the first answer after its 200, whoever else writes', async () => {
    const ROUNDS = 200
    let others = 0
    const done = new AbortController()
    const writers = ['w1', 'w2', 'w3'].map(async (writer) => {
      while (!done.signal.aborted) {
        const batch = Array.from({ length: 20 }, () =>
          at(writer, '2024-06-02T10:00:00Z', { event_type: 'noise' }),
        )
        await put(batch)
        others += batch.length
      }
    })
    try {
      for (let round = 1; round <= ROUNDS; round += 1) {
        await put([at(`fresh-${round}`, '2024-06-01T10:00:00Z', { event_type: `fresh_${round % 7}` })])
        const answer = await ask<Dau>('/stats/dau', { from: '2024-06-01', to: '2024-06-01' })
        assert.equal(answer.data[0]!.dau, round)
      }
    } finally {
      done.abort()
      await Promise.all(writers)
    }
    const { data } = await ask<TopEvents>('/stats/top-events', { from: '2024-06-02', to: '2024-06-02' })
    assert.deepEqual(data, [{ event_type: 'noise', count: others }])
    assert.ok(others >= ROUNDS)
  })

  describe('/tiers', () => {
    it('tells what lies where, and a late event is hot until the next run', async () => {
      await store.cli(['compact'])
      const sealed = (await get<Tiers>(`${service.url}/tiers`)).json
      assert.deepEqual(sealed.hot, { events: 0, days: 0 })
      const january = sealed.cold.days.find(({ day }) => day === '2024-01-01')!
      assert.equal(january.events, 3)
      assert.equal(january.files, 1)
      assert.ok(january.bytes > 0)
      assert.ok(january.sealed_through > 0)
      for (const part of ['events', 'files', 'bytes'] as const) {
        assert.equal(
          sealed.cold[part],
          sealed.cold.days.reduce((n, day) => n + day[part], 0),
          part,
        )
      }
      await put([at('late', '2024-01-01T10:00:00Z')])
      const late = (await get<Tiers>(`${service.url}/tiers`)).json
      assert.deepEqual(late.hot, { events: 1, days: 1 })
      assert.deepEqual(late.cold, sealed.cold)
      const { data, meta } = await ask<Dau>('/stats/dau', { from: '2024-01-01', to: '2024-01-01' })
      assert.equal(data[0]!.dau, 3)
      assert.deepEqual([meta.hot_events, meta.cold_events, meta.cold_files], [1, 3, 1])
    })
  })

  describe('with a wrong parameter are refused, and the reply names', () => {
    const range = 'from=2025-01-01&to=2025-01-31'
    const wrong: Record<string, string[]> = {
      from: [
        '/stats/dau?to=2025-01-31',
        '/stats/dau?from=&to=2025-01-31',
        '/stats/dau?from=2025-02-29&to=2025-03-31',
        '/stats/dau?from=2025-1-1&to=2025-01-31',
        '/stats/dau?from=20250101&to=2025-01-31',
        '/stats/dau?from=2025-01-01T00:00:00Z&to=2025-01-31',
        '/stats/dau?from=%202025-01-01&to=2025-01-31',
        '/stats/dau?from=2025-02-01&to=2025-01-31',
        '/stats/dau?from=1969-12-31&to=1970-01-01',
        '/stats/dau?from=2025-01-01&from=2025-01-01&to=2025-01-31',
        '/stats/top-events?to=2025-01-31',
        '/stats/top-events?from=yesterday&to=2025-01-31',
      ],
      to: [
        '/stats/dau?from=2025-01-01',
        '/stats/dau?from=2025-01-01&to=2025-01-32',
        '/stats/dau?from=2025-01-01&to=10000-01-01',
        '/stats/dau?from=2025-01-01&to=-',
        '/stats/dau?from=2020-01-01&to=2030-01-08',
        `/stats/dau?${range}&to=2025-01-31`,
        '/stats/top-events?from=2025-01-01&to=now',
      ],
      limit: [
        '0',
        '-1',
        '1001',
        '1.5',
        'ten',
        '',
        '%205',
        '+5',
        '1e2',
        '0x10',
        '99999999999',
        '5&limit=5',
      ].map((value) => `/stats/top-events?${range}&limit=${value}`),
      start_date: [
        '/stats/retention',
        '/stats/retention?start_date=',
        '/stats/retention?start_date=2025-13-01',
        '/stats/retention?start_date=1969-12-31',
        '/stats/retention?start_date=9999-12-31',
        '/stats/retention?start_date=2025-01-01&start_date=2025-01-02',
      ],
      windows: ['0', '-1', '367', '1.5', 'three', '', '3&windows=3'].map(
        (value) => `/stats/retention?start_date=2025-01-01&windows=${value}`,
      ),
      window: ['', 'month', 'Day', 'days', 'day&window=day', 'constructor'].map(
        (value) => `/stats/retention?start_date=2025-01-01&window=${value}`,
      ),
      segment: [
        '',
        'purchase',
        'event_type',
        'event_type:',
        'event_type:a,,b',
        'event_type:a,',
        'event_type:,',
        'country:UA',
        'Event_Type:a',
        'event_id:a',
        'properties:UA',
        'properties.:UA',
        'properties.country',
        'event_type:a%00b',
        `event_type:${repeat(101, 'a', ',')}`,
        `event_type:${'a'.repeat(2_048)}`,
        repeat(17, 'event_type:a', '&segment='),
      ].flatMap((value) => [
        `/stats/dau?${range}&segment=${value}`,
        `/stats/top-events?${range}&segment=${value}`,
        `/stats/retention?start_date=2025-01-01&segment=${value}`,
      ]),
      properties: [
        `/stats/dau?${range}&properties.country=`,
        `/stats/dau?${range}&properties.country`,
        `/stats/dau?${range}&properties.country=UA,,PL`,
        `/stats/dau?${range}&properties.=UA`,
        `/stats/dau?${range}&properties.a%00b=UA`,
      ],
    }
    for (const [name, questions] of Object.entries(wrong)) {
      it(name, async () => {
        for (const question of questions) {
          const response = await fetch(service.url + question)
          const problem = (await response.json()) as Problem
          assert.equal(response.status, 400, question)
          assert.equal(response.headers.get('content-type'), 'application/problem+json')
          assert.equal(problem.type, '/problems/invalid_parameter')
          assert.equal(problem.status, 400)
          assert.deepEqual(
            problem.errors.map(({ path }) => path).filter((path) => path !== name && path !== 'to'),
            question === '/stats/dau' ? ['from'] : [],
            question,
          )
          assert.ok(
            problem.errors.some(({ path, message }) => path === name && message !== ''),
            question,
          )
          assert.match(problem.detail, new RegExp(name))
        }
      })
    }

    it('what is known where one is unknown', async () => {
      for (const name of ['limit', 'From', 'country', 'segments', 'properties', 'toString', '__proto__']) {
        const { status, json } = await get<Problem>(`${service.url}/stats/dau?${range}&${name}=1`)
        assert.equal(status, 400, name)
        assert.equal(json.type, '/problems/invalid_parameter')
        assert.match(json.detail, /unknown parameter; this question takes from, to, segment/)
      }
    })

    it('all of them at once', async () => {
      const { json } = await get<Problem>(
        `${service.url}/stats/top-events?from=x&limit=0&segment=y&properties.k=&z=1`,
      )
      assert.deepEqual(json.errors.map(({ path }) => path).toSorted(), [
        '',
        'from',
        'limit',
        'properties',
        'segment',
        'to',
      ])
    })
  })
})
