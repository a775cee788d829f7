import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EVENTS_BYTES_MAX } from '../../src/query/events.ts'
import { howMany } from '../support/counts.ts'
import { DAY, on, serveReading } from '../support/reading-events.ts'
import type { Page } from '../support/reading-events.ts'
import { addDays } from '../support/reference.ts'
import { sampleEvents } from '../support/sample.ts'
import { eventOf, getReply } from '../support/wire.ts'

const LARGE = howMany('events_of_two_pages')

/** A second of a day, counted from June 1. */
function juneAt(day: number, second: number): string {
  return `${addDays('2024-06-01', day)}T00:00:${String(second % 60).padStart(2, '0')}Z`
}

describe('reading events back', () => {
  const home = serveReading()
  const { page, put, refused } = home

  /** How many events, and lines of another format, a page of the day has, and whether another follows. */
  async function countsOf(query: string): Promise<[number, boolean]> {
    const { status, text, headers } = await getReply(`${home.store.url}/events?${DAY}${query}`)
    assert.equal(status, 200)
    const isJson = headers['content-type'] === 'application/json'
    const count = isJson ? (JSON.parse(text) as Page).data.length : text.trimEnd().split('\n').length
    return [count, headers['link'] !== undefined]
  }

  it('gives no cursor when the page holds the last event, and one when it does not', async () => {
    await put(sampleEvents(2, 5, '2025-08-02', 1))
    assert.equal((await page(`${on('2025-08-02')}&limit=5`)).next_cursor, null)
    assert.equal((await page(`${on('2025-08-02')}&limit=6`)).next_cursor, null)
    assert.notEqual((await page(`${on('2025-08-02')}&limit=4`)).next_cursor, null)
    assert.deepEqual((await page('from=2001-01-01&to=2001-01-02')).data, [])
  })

  it('ends a page early when its events are large, and gives all of them', async () => {
    const filler = 'ż"\\'.repeat(5_400)
    const events = Array.from({ length: LARGE }, (_, i) =>
      eventOf({
        occurred_at: `2025-08-03T00:00:00.${String(i).padStart(6, '0')}Z`,
        properties: { i, filler },
      }),
    )
    const bytes_each = Buffer.byteLength(JSON.stringify(events[100]!['properties'])) + 'u1app_open'.length
    // One event has the most that fits, the page has not.
    events[0]!['properties'] = { filler: 'x'.repeat(32 * 1024 - '{"filler":""}'.length) }
    for (let i = 0; i < events.length; i += 200) await put(events.slice(i, i + 200))
    for (const tier of ['hot', 'cold']) {
      const first = await page(`${on('2025-08-03')}&limit=1000`)
      assert.ok(first.data.length < events.length, tier)
      assert.equal(first.data.length, Math.floor(EVENTS_BYTES_MAX / bytes_each))
      assert.notEqual(first.next_cursor, null)
      const rest = await page(`${on('2025-08-03')}&limit=1000&cursor=${first.next_cursor}`)
      assert.equal(rest.next_cursor, null)
      const read = [...first.data, ...rest.data]
      assert.deepEqual(
        read.map(({ event_id, properties }) => ({ event_id, properties })),
        events.toReversed().map(({ event_id, properties }) => ({ event_id, properties })),
      )
      await home.store.compact()
    }
  })

  it('reads no older files than the page needs', async () => {
    // Twenty days of ten events, and the newest two hot.
    await put(
      sampleEvents(3, 200, '2024-06-01', 20).map((event, i) => ({
        ...event,
        occurred_at: juneAt(i % 20, i),
      })),
    )
    await home.store.compact()
    await put(
      sampleEvents(4, 20).map((event, i) => ({
        ...event,
        occurred_at: juneAt(20 + (i % 2), i),
      })),
    )
    const range = 'from=2024-01-01&to=2024-12-31'
    const files = async (query: string) => (await page(`${range}&${query}`)).meta.cold_files
    assert.equal(await files('limit=19'), 0)
    // Whether there is more takes a look at the next day.
    assert.equal(await files('limit=20'), 1)
    assert.equal(await files('limit=29'), 1)
    assert.equal(await files('limit=30'), 3)
    assert.equal(await files('limit=49'), 3)
    assert.equal(await files('limit=50'), 7)
    assert.equal(await files('limit=1000'), 20)
    const { meta } = await page(`${range}&limit=100`)
    assert.deepEqual([meta.hot_events, meta.cold_events, meta.cold_files], [20, 150, 15])
    // A later page begins at its own day.
    let cursor = (await page(`${range}&limit=165`)).next_cursor
    assert.equal(await files(`limit=4&cursor=${cursor}`), 1)
    cursor = (await page(`${range}&limit=215`)).next_cursor
    assert.equal(await files(`limit=100&cursor=${cursor}`), 1)
  })

  it('links to the next page, with everything that was asked', async () => {
    await put(
      Array.from({ length: 3 }, (_, i) =>
        eventOf({
          occurred_at: '2025-08-05',
          user_id: 'Łódź <a> "b"; c,d',
          properties: { 'k&=>': `v${i % 1}` },
        }),
      ),
    )
    const query = new URLSearchParams([
      ['from', '2025-08-05'],
      ['to', '2025-08-05'],
      ['user_id', 'Łódź <a> "b"; c\\,d'],
      ['properties.k&=>', 'v0'],
      ['limit', '1'],
    ])
    for (const format of ['json', 'ndjson', 'csv']) {
      const seen: string[] = []
      let path: string | undefined = `/events?${query}&format=${format}`
      for (let pages = 0; path !== undefined; pages += 1) {
        assert.ok(pages < 3)
        const { text, headers }: Awaited<ReturnType<typeof getReply>> = await getReply(home.store.url + path)
        seen.push(/[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text)![0])
        const link = headers['link'] as string | undefined
        path = link === undefined ? undefined : /^<([^<>]+)>; rel="next"$/.exec(link)![1]!
        assert.equal(path?.match(/cursor=/g)?.length ?? 1, 1)
      }
      assert.equal(new Set(seen).size, 3)
    }
  })

  it('answers at the limits, and refuses one more', async () => {
    home.store.inSqlite((db) =>
      db.exec(`
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10002)
        INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
          SELECT randomblob(16), ${Date.parse('2025-08-01') * 1_000} + i, 'u1', 'app_open', '{}' FROM n;`),
    )
    assert.deepEqual(await countsOf(''), [100, true])
    assert.deepEqual(await countsOf('&limit=1'), [1, true])
    assert.deepEqual(await countsOf('&limit=1000'), [1_000, true])
    assert.deepEqual(await countsOf('&limit=10000&format=ndjson'), [10_000, true])
    assert.deepEqual(await countsOf('&limit=10000&format=csv'), [10_001, true])
    for (const query of [
      'limit=0',
      'limit=1001',
      'limit=10001&format=ndjson',
      'limit=10001&format=csv',
      'limit=x',
      'limit=',
    ]) {
      assert.deepEqual(
        (await refused(`${DAY}&${query}`)).errors.map(({ path }) => path),
        ['limit'],
        query,
      )
    }
  })
})
