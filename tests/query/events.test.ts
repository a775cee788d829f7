import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import { DAY, on, serveReading } from '../support/reading-events.ts'
import type { Problem } from '../support/reading-events.ts'
import { addDays } from '../support/reference.ts'
import { idFor, sampleEvents } from '../support/sample.ts'
import { eventOf } from '../support/wire.ts'

const US_PER_DAY = 86_400_000_000

const TWO_DAYS = 'from=2025-07-11&to=2025-07-12'
const JUNE = 'from=2025-06-01&to=2025-06-30'
const MAY = 'from=2025-05-01&to=2025-05-31'

describe('reading events back', () => {
  const home = serveReading()
  const { page, put, readAll, refused } = home

  async function typesOf(query: string): Promise<string[]> {
    return (await page(query)).data.map(({ event_type }) => event_type)
  }

  it('gives them as they were sent, newest first, with the microseconds', async () => {
    const sent = [
      eventOf({
        occurred_at: '2025-08-01T06:52:34.123456+03:00',
        user_id: 7,
        properties: { a: [1, { b: null }] },
      }),
      eventOf({ occurred_at: '2025-08-01T03:52:34.123457Z', user_id: 'o\'hara "🐧"\n', event_type: 'Ω,\t"' }),
      eventOf({ occurred_at: '2025-08-01', event_id: crypto.randomUUID().toUpperCase() }),
    ]
    await put(sent)
    for (const tier of ['hot', 'cold']) {
      const { data, next_cursor, meta } = await page(DAY)
      assert.deepEqual(
        data,
        [
          { ...sent[1], properties: {} },
          { ...sent[0], occurred_at: '2025-08-01T03:52:34.123456Z', user_id: '7' },
          {
            ...sent[2],
            event_id: String(sent[2]!['event_id']).toLowerCase(),
            occurred_at: '2025-08-01T00:00:00.000000Z',
            properties: {},
          },
        ],
        tier,
      )
      assert.equal(next_cursor, null)
      const { took_ms, ...read } = meta
      assert.ok(took_ms >= 0)
      assert.deepEqual(
        read,
        tier === 'hot'
          ? { hot_events: 3, cold_events: 0, cold_files: 0 }
          : { hot_events: 0, cold_events: 3, cold_files: 1 },
      )
      await home.store.compact()
    }
  })

  it('orders equal times by id, in the order of its text, in both tiers at once', async () => {
    const ids = ['00', '01', '7f', '80', '81', 'fe', 'ff'].flatMap((byte) =>
      ['00', '7f', '80', 'ff'].map((end) => `${byte}000000-0000-4000-8000-0000000000${end}`),
    )
    const events = ids.map((event_id) => eventOf({ event_id, occurred_at: '2025-08-02T12:00:00Z' }))
    await put(events.filter((_, i) => i % 2 === 0))
    await home.store.compact()
    await put(events.filter((_, i) => i % 2 === 1))
    for (const limit of [1, 3, ids.length - 1, ids.length, ids.length + 1]) {
      const read = await readAll(`${on('2025-08-02')}&limit=${limit}`)
      assert.deepEqual(
        read.map(({ event_id }) => event_id),
        ids.toReversed(),
      )
    }
  })

  it('takes both ends of the days, and the short forms of segments', async () => {
    await put([
      eventOf({ occurred_at: '2025-07-10T23:59:59.999999Z', event_type: 'before' }),
      eventOf({
        occurred_at: '2025-07-11T00:00:00Z',
        event_type: 'first',
        user_id: 'anna',
        properties: { n: 95 },
      }),
      eventOf({
        occurred_at: '2025-07-12T23:59:59.999999Z',
        event_type: 'last',
        user_id: 'a,b',
        properties: { n: '95.0' },
      }),
      eventOf({ occurred_at: '2025-07-13T00:00:00Z', event_type: 'after' }),
    ])
    for (const tier of ['hot', 'cold']) {
      assert.deepEqual(await typesOf(`${TWO_DAYS}&`), ['last', 'first'], tier)
      assert.deepEqual(await typesOf(`${TWO_DAYS}&user_id=anna`), ['first'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&user_id=anna,a\\,b`), ['last', 'first'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&segment=user_id:anna&segment=user_id:bob`), [])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&event_type=last`), ['last'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&event_type=last&user_id=anna`), [])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&segment=event_type:last`), ['last'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&properties.n=95.0`), ['last', 'first'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&properties.n=95`), ['first'])
      await home.store.compact()
    }
  })

  it('takes the last seven days up to tomorrow where no days are given', async () => {
    const today = new Date().toISOString().slice(0, 10)
    const at = (days: number) =>
      eventOf({ occurred_at: `${addDays(today, days)}T00:00:00Z`, event_type: String(days) })
    await put([-8, -7, -6, 0].map(at))
    assert.deepEqual(await typesOf(''), ['0', '-6'])
    assert.deepEqual(await typesOf(`from=${addDays(today, -7)}`), ['0', '-6', '-7'])
    assert.deepEqual(await typesOf(`to=${addDays(today, -1)}`), ['-6', '-7', '-8'])
    // A client's clock may run ahead.
    await put([
      eventOf({ occurred_at: new Date(Date.now() + 80_000_000).toISOString(), event_type: 'ahead' }),
    ])
    assert.deepEqual(await typesOf(''), ['ahead', '0', '-6'])
    const first = await page('limit=1')
    const rest = await page(`limit=9&cursor=${first.next_cursor}`)
    assert.deepEqual(
      rest.data.map(({ event_type }) => event_type),
      ['0', '-6'],
    )
    assert.deepEqual((await page('to=1970-01-01')).data, [])
  })

  it('refuses what is wrong, unknown or given twice', async () => {
    const wrong: [query: string, path: string][] = [
      ['from=2025-02-30&to=2025-03-01', 'from'],
      ['from=2025-08-02&to=2025-08-01', 'from'],
      ['from=2015-01-01&to=2025-01-08', 'to'],
      ['from=2025-08-01&from=2025-08-01&to=2025-08-02', 'from'],
      ['from=2025-08-01&to=', 'to'],
      ['to=9999-12-32', 'to'],
      ['user_id=', 'user_id'],
      [`user_id=${'a'.repeat(2_048)}`, 'user_id'],
      ['event_type=a,,b', 'event_type'],
      ['segment=country:UA', 'segment'],
      ['properties.=x', 'properties'],
      ['format=xml', 'format'],
      ['format=', 'format'],
      ['format=csv&format=csv', 'format'],
      ['since=2025-08-01', ''],
      ['event_id=x', ''],
      ['__proto__=x', ''],
    ]
    for (const [query, path] of wrong) {
      assert.deepEqual(
        (await refused(query)).errors.map((error) => error.path),
        [path],
        query,
      )
    }
    assert.equal((await page(`from=2015-01-02&to=2025-01-08`)).data.length, 0)
  })

  it('shows an event in the first page after its 200', async () => {
    for (let i = 0; i < howMany('events_read_back_at_once'); i += 1) {
      const event = eventOf({ occurred_at: `2025-08-04T00:00:${String(i).padStart(2, '0')}Z` })
      await put([event])
      assert.equal((await page(`${on('2025-08-04')}&limit=1`)).data[0]!.event_id, event['event_id'])
      if (i % 20 === 9)
        await home.store.compact({ now_us: Date.parse('2025-08-04') * 1_000 + 5 * US_PER_DAY })
    }
  })

  it('names a damaged file that it needs, and reads the other days', async () => {
    await put(sampleEvents(8, 60, '2025-06-01', 3))
    await home.store.compact()
    const file = home.store.listed().find((path) => path.includes('2025-06-02'))!
    const path = join(home.store.layout.cold, file)
    const bytes = readFileSync(path)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(path, bytes)
    const told = async () => {
      const response = await fetch(`${home.store.url}/events?${JUNE}`)
      const problem = (await response.json()) as Problem
      assert.equal(response.status, 500)
      assert.equal(problem.type, '/problems/cold_file_damaged')
      assert.match(problem.detail, /2025-06-02/)
      assert.ok(problem.detail.includes(file))
    }
    await told()
    // The newest day fills the page, and whether there is more; the damaged one is not needed.
    assert.equal((await page(`${JUNE}&limit=1`)).data.length, 1)
    assert.ok((await page(on('2025-06-01'))).data.length > 0)
    renameSync(path, `${path}.away`)
    await told()
  })

  it('refuses stored properties that are no JSON, rather than break the reply around them', async () => {
    await put([eventOf({ occurred_at: '2025-05-01', event_type: 'good' })])
    home.store.inSqlite((db) =>
      db
        .prepare(
          'INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)',
        )
        .run(
          Buffer.from(idFor('bad').replaceAll('-', ''), 'hex'),
          Date.parse('2025-05-02') * 1_000,
          'u',
          't',
          '{"a":',
        ),
    )
    const response = await fetch(`${home.store.url}/events?${MAY}`)
    const problem = (await response.json()) as Problem
    assert.deepEqual([response.status, problem.type], [500, '/problems/query_failed'])
    assert.equal((await page(on('2025-05-01'))).data.length, 1)
  })
})
