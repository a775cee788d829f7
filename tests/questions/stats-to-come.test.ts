import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { MICROS_PER_DAY, parseInstant } from '../../src/event/time.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

/** Time that has not happened is not zero. */

const DAY = '2025-08-01'
const START_US = parseInstant(`${DAY}T00:00:00Z`)!

const NOTHING = { users: null, rate: null }

type Entry = Record<string, unknown>

/** Without the days, which are as in every answer. */
const numbers = (entries: readonly Entry[]) =>
  entries.map(({ users, rate, incomplete }) => ({
    users,
    rate,
    ...(incomplete === undefined ? {} : { incomplete }),
  }))

describe('days and windows to come', { timeout: HANGS_AFTER_MS }, () => {
  let now_us = START_US
  const store = serveStore({}, { now_us: () => now_us })
  before(() =>
    post(`${store.url}/events`, [
      eventOf({ occurred_at: `${DAY}T10:00:00Z`, user_id: 'anna' }),
      eventOf({ occurred_at: `${DAY}T11:00:00Z`, user_id: 'ben' }),
      eventOf({ occurred_at: '2025-08-02T10:00:00Z', user_id: 'anna' }),
      // Clocks of clients may be ahead of ours.
      eventOf({ occurred_at: '2025-08-03T00:00:00Z', user_id: 'anna' }),
    ]),
  )

  /** @param days after the start of {@link DAY} */
  async function askAfter(days: number, path: string): Promise<Entry[]> {
    now_us = START_US + days * MICROS_PER_DAY
    return (await get<{ data: Entry[] }>(store.url + path)).json.data
  }
  async function csvAfter(days: number, path: string): Promise<string> {
    now_us = START_US + days * MICROS_PER_DAY
    return (await fetch(`${store.url}${path}&format=csv`)).text()
  }

  const DAU = '/stats/dau?from=2025-08-01&to=2025-08-03'
  const first = { date: '2025-08-01' }
  const second = { date: '2025-08-02' }
  const third = { date: '2025-08-03' }

  it('have no number of daily active users, and the day in progress is marked', async () => {
    assert.deepEqual(await askAfter(1.5, DAU), [
      { ...first, dau: 2 },
      { ...second, dau: 1, incomplete: true },
      { ...third, dau: null },
    ])
    assert.equal(
      await csvAfter(1.5, DAU),
      'date,dau,incomplete\r\n2025-08-01,2,\r\n2025-08-02,1,true\r\n2025-08-03,,\r\n',
    )
  })

  it('begin with their first microsecond, and end with their last', async () => {
    const one_us = 1 / MICROS_PER_DAY
    assert.deepEqual((await askAfter(2 - one_us, DAU)).slice(1), [
      { ...second, dau: 1, incomplete: true },
      { ...third, dau: null },
    ])
    assert.deepEqual((await askAfter(2, DAU)).slice(1), [
      { ...second, dau: 1 },
      { ...third, dau: 1, incomplete: true },
    ])
    assert.deepEqual((await askAfter(3, DAU)).slice(1), [
      { ...second, dau: 1 },
      { ...third, dau: 1 },
    ])
  })

  it('have no retention, and the window in progress is marked', async () => {
    const days = '/stats/retention?start_date=2025-08-01&windows=3&window=day'
    assert.deepEqual(numbers(await askAfter(2.5, days)), [
      { users: 1, rate: 0.5 },
      { users: 1, rate: 0.5, incomplete: true },
      NOTHING,
    ])
    assert.deepEqual(numbers(await askAfter(0.5, days)), [NOTHING, NOTHING, NOTHING])
    assert.equal(
      await csvAfter(1.5, '/stats/retention?start_date=2025-08-01&windows=2&window=day'),
      'window,from,to,users,rate,cohort_size,incomplete\r\n' +
        '1,2025-08-02,2025-08-02,1,0.5,2,true\r\n2,2025-08-03,2025-08-03,,,2,\r\n',
    )
  })

  it('are told by the whole window, not by its first day', async () => {
    const weeks = '/stats/retention?start_date=2025-07-26&windows=2&window=week'
    const marked = async (days: number) =>
      (await askAfter(days, weeks)).map(({ users, incomplete }) => [users, incomplete])
    // Windows from August 2 to 8, and from August 9 to 15.
    assert.deepEqual(await marked(7.9), [
      [1, true],
      [null, undefined],
    ])
    assert.deepEqual(await marked(8), [
      [1, undefined],
      [0, true],
    ])
    assert.deepEqual(await marked(15), [
      [1, undefined],
      [0, undefined],
    ])
  })
})
