import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { EVENTS_BYTES_MAX } from '../src/query/events.ts'
import { createInProcessStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import { addDays } from './reference.ts'
import { idFor, sampleEvents } from './sample.ts'
import { post } from './store.ts'
import { begin, eventOf, getReply } from './wire.ts'
import { DAY } from './reading-events.ts'
import type { ReadEvent, Page, Problem } from './reading-events.ts'

const US_PER_DAY = 86_400_000_000

const TWO_DAYS = 'from=2025-08-01&to=2025-08-02'

const AUGUST = 'from=2025-08-01&to=2025-08-31'

/** A second of a day, counted from June 1. */
function juneAt(day: number, second: number): string {
  return `${addDays('2025-06-01', day)}T00:00:${String(second % 60).padStart(2, '0')}Z`
}

describe('reading events back', () => {
  let store: InProcessStore
  beforeEach(async () => {
    store = createInProcessStore()
    await store.start()
  })
  afterEach(() => store.remove())

  async function put(events: readonly unknown[]): Promise<void> {
    const { status, json } = await post(`${store.url}/events`, events)
    assert.deepEqual([status, json['accepted']], [200, events.length])
  }

  async function page(query: string): Promise<Page> {
    const response = await fetch(`${store.url}/events?${query}`)
    const text = await response.text()
    assert.equal(response.status, 200, text)
    return JSON.parse(text) as Page
  }

  async function refused(query: string): Promise<Problem> {
    const response = await fetch(`${store.url}/events?${query}`)
    assert.equal(response.status, 400, query)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem = (await response.json()) as Problem
    assert.equal(problem.type, '/problems/invalid_parameter')
    return problem
  }

  async function typesOf(query: string): Promise<string[]> {
    return (await page(query)).data.map(({ event_type }) => event_type)
  }

  /** How many events, and lines of another format, a page of the day has, and whether another follows. */
  async function countsOf(query: string): Promise<[number, boolean]> {
    const { status, text, headers } = await getReply(`${store.url}/events?${DAY}${query}`)
    assert.equal(status, 200)
    const isJson = headers['content-type'] === 'application/json'
    const count = isJson ? (JSON.parse(text) as Page).data.length : text.trimEnd().split('\n').length
    return [count, headers['link'] !== undefined]
  }

  /** All pages from here on. */
  async function readAll(query: string): Promise<ReadEvent[]> {
    const events: ReadEvent[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const { data, next_cursor }: Page = await page(
        cursor === '' ? query : `${query}&cursor=${encodeURIComponent(cursor)}`,
      )
      events.push(...data)
      assert.notEqual(next_cursor, cursor, 'a page brings the cursor further')
      cursor = next_cursor
    }
    return events
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
      await store.compact()
    }
  })

  it('gives numbers, keys and texts of properties digit by digit', async () => {
    const properties =
      '{"big":9007199254740993,"exact":12345678901234567890123,"twice":1,"twice":2,' +
      '"nul":"a\\u0000b","line":"a\\nb\\u2028","🦓":"\\"quoted\\" \\\\ Łódź","__proto__":{"x":[true,false,null]}}'
    const event_id = crypto.randomUUID()
    const row = `${event_id},2025-08-01T10:00:00.000001Z,u,t,"${properties.replaceAll('"', '""')}"`
    await store.importCsv(`event_id,occurred_at,user_id,event_type,properties_json\n${row}\n`)
    const json = (await getReply(`${store.url}/events?${DAY}`)).text
    // The import may write a character in another of JSON's spellings.
    const start = json.indexOf('"properties":') + '"properties":'.length
    const text = json.slice(start, json.indexOf('}],"next_cursor"'))
    assert.deepEqual(JSON.parse(text), JSON.parse(properties))
    const wanted = `{"event_id":"${event_id}","occurred_at":"2025-08-01T10:00:00.000001Z","user_id":"u","event_type":"t","properties":${text}}`
    assert.ok(json.startsWith(`{"data":[${wanted}],"next_cursor":null,"meta":{`), json)
    assert.equal((await getReply(`${store.url}/events?${DAY}&format=ndjson`)).text, `${wanted}\n`)
    for (const digits of ['9007199254740993', '12345678901234567890123', '"twice":1,"twice":2']) {
      assert.ok(json.includes(digits), digits)
    }
  })

  it('orders equal times by id, in the order of its text, in both tiers at once', async () => {
    const ids = ['00', '01', '7f', '80', '81', 'fe', 'ff'].flatMap((byte) =>
      ['00', '7f', '80', 'ff'].map((end) => `${byte}000000-0000-4000-8000-0000000000${end}`),
    )
    const events = ids.map((event_id) => eventOf({ event_id }))
    await put(events.filter((_, i) => i % 2 === 0))
    await store.compact()
    await put(events.filter((_, i) => i % 2 === 1))
    for (const limit of [1, 3, ids.length - 1, ids.length, ids.length + 1]) {
      const read = await readAll(`${DAY}&limit=${limit}`)
      assert.deepEqual(
        read.map(({ event_id }) => event_id),
        ids.toReversed(),
      )
    }
  })

  it('takes both ends of the days, and the short forms of segments', async () => {
    await put([
      eventOf({ occurred_at: '2025-07-31T23:59:59.999999Z', event_type: 'before' }),
      eventOf({
        occurred_at: '2025-08-01T00:00:00Z',
        event_type: 'first',
        user_id: 'anna',
        properties: { n: 95 },
      }),
      eventOf({
        occurred_at: '2025-08-02T23:59:59.999999Z',
        event_type: 'last',
        user_id: 'a,b',
        properties: { n: '95.0' },
      }),
      eventOf({ occurred_at: '2025-08-03T00:00:00Z', event_type: 'after' }),
    ])
    for (const tier of ['hot', 'cold']) {
      assert.deepEqual(await typesOf(`${TWO_DAYS}&`), ['last', 'first'], tier)
      assert.deepEqual(await typesOf(`${TWO_DAYS}&user_id=anna`), ['first'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&user_id=anna,a\\,b`), ['last', 'first'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&user_id=anna&user_id=bob`), [])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&event_type=last`), ['last'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&event_type=last&user_id=anna`), [])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&segment=event_type:last`), ['last'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&properties.n=95.0`), ['last', 'first'])
      assert.deepEqual(await typesOf(`${TWO_DAYS}&properties.n=95`), ['first'])
      await store.compact()
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

  it('answers at the limits, and refuses one more', async () => {
    await put(sampleEvents(1, 10_002, '2025-08-01', 1))
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

  it('gives no cursor when the page holds the last event, and one when it does not', async () => {
    await put(sampleEvents(2, 5, '2025-08-01', 1))
    assert.equal((await page(`${DAY}&limit=5`)).next_cursor, null)
    assert.equal((await page(`${DAY}&limit=6`)).next_cursor, null)
    assert.notEqual((await page(`${DAY}&limit=4`)).next_cursor, null)
    assert.deepEqual((await page('from=2001-01-01&to=2001-01-02')).data, [])
  })

  it('ends a page early when its events are large, and gives all of them', async () => {
    const filler = 'ż"\\'.repeat(5_400)
    const events = Array.from({ length: 420 }, (_, i) =>
      eventOf({
        occurred_at: `2025-08-01T00:00:00.${String(i).padStart(6, '0')}Z`,
        properties: { i, filler },
      }),
    )
    const bytes_each = Buffer.byteLength(JSON.stringify(events[100]!['properties'])) + 'u1app_open'.length
    // One event has the most that fits, the page has not.
    events[0]!['properties'] = { filler: 'x'.repeat(32 * 1024 - '{"filler":""}'.length) }
    for (let i = 0; i < events.length; i += 210) await put(events.slice(i, i + 210))
    for (const tier of ['hot', 'cold']) {
      const first = await page(`${DAY}&limit=1000`)
      assert.ok(first.data.length < events.length, tier)
      assert.equal(first.data.length, Math.floor(EVENTS_BYTES_MAX / bytes_each))
      assert.notEqual(first.next_cursor, null)
      const read = await readAll(`${DAY}&limit=1000`)
      assert.deepEqual(
        read.map(({ event_id, properties }) => ({ event_id, properties })),
        events.toReversed().map(({ event_id, properties }) => ({ event_id, properties })),
      )
      await store.compact()
    }
  })

  it('reads no older files than the page needs', async () => {
    // Forty days of ten events, and the newest two hot.
    await put(
      sampleEvents(3, 400, '2025-06-01', 40).map((event, i) => ({
        ...event,
        occurred_at: juneAt(i % 40, i),
      })),
    )
    await store.compact()
    await put(
      sampleEvents(4, 20, '2025-07-11', 1).map((event, i) => ({
        ...event,
        occurred_at: juneAt(40 + (i % 2), i),
      })),
    )
    const range = 'from=2025-01-01&to=2025-12-31'
    const files = async (query: string) => (await page(`${range}&${query}`)).meta.cold_files
    assert.equal(await files('limit=19'), 0)
    // Whether there is more takes a look at the next day.
    assert.equal(await files('limit=20'), 1)
    assert.equal(await files('limit=29'), 1)
    assert.equal(await files('limit=30'), 3)
    assert.equal(await files('limit=49'), 3)
    assert.equal(await files('limit=50'), 7)
    assert.equal(await files('limit=1000'), 40)
    const { meta } = await page(`${range}&limit=100`)
    assert.deepEqual([meta.hot_events, meta.cold_events, meta.cold_files], [20, 150, 15])
    // A later page begins at its own day.
    let cursor = (await page(`${range}&limit=305`)).next_cursor
    assert.equal(await files(`limit=4&cursor=${cursor}`), 1)
    cursor = (await page(`${range}&limit=415`)).next_cursor
    assert.equal(await files(`limit=100&cursor=${cursor}`), 1)
  })

  describe('with a cursor', () => {
    let cursor: string
    const USERS = 'user_id=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20'
    beforeEach(async () => {
      await put(sampleEvents(5, 30, '2025-08-01', 2))
      cursor = (await page(`${AUGUST}&${USERS}&limit=3`)).next_cursor!
      assert.notEqual(cursor, null)
    })

    it('takes another limit, format and spelling of the same filters', async () => {
      const expected = (await page(`${AUGUST}&${USERS}&limit=4&cursor=${cursor}`)).data
      const reversed = `segment=user_id:${USERS.slice('user_id='.length).split(',').toReversed().join(',')}`
      for (const query of [`${AUGUST}&${reversed}`, USERS]) {
        assert.deepEqual((await page(`${query}&limit=4&cursor=${cursor}`)).data, expected)
      }
      const lines = (await getReply(`${store.url}/events?${USERS}&limit=4&format=ndjson&cursor=${cursor}`))
        .text
      assert.deepEqual(
        lines
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown),
        expected,
      )
    })

    it('refuses other filters and days', async () => {
      for (const query of [
        AUGUST,
        `${AUGUST}&${USERS}&event_type=purchase`,
        `${AUGUST}&${USERS},21`,
        `${AUGUST}&${USERS.replace('user_id=', 'event_type=')}`,
        `${AUGUST}&${USERS.replace('user_id=', 'properties.user_id=')}`,
        `from=2025-08-02&to=2025-08-31&${USERS}`,
        `from=2025-08-01&to=2025-08-30&${USERS}`,
      ]) {
        const { errors } = await refused(`${query}&cursor=${cursor}`)
        assert.deepEqual(
          errors.map(({ path }) => path),
          ['cursor'],
          query,
        )
      }
    })

    it('refuses every change of it, and what never was one', async () => {
      const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const changed = [...cursor].map((char, i) => {
        const other = ALPHABET[(ALPHABET.indexOf(char) ^ (1 << (i % 6))) & 63]!
        return cursor.slice(0, i) + other + cursor.slice(i + 1)
      })
      const wrong = [
        '',
        'x',
        '%00',
        cursor.slice(1),
        `${cursor}A`,
        `${cursor}=`,
        cursor.repeat(50),
        `${cursor.slice(1)}%2B`,
        `${cursor.slice(1)}%F0`,
      ]
      for (const text of [...changed, ...wrong]) {
        const { errors } = await refused(`${AUGUST}&${USERS}&cursor=${text}`)
        assert.deepEqual(
          errors.map(({ path }) => path),
          ['cursor'],
          text,
        )
        assert.ok(errors.every(({ message }) => !message.includes(cursor.slice(8, 24))))
      }
      assert.equal(
        (await refused(`${AUGUST}&${USERS}&cursor=${cursor}&cursor=${cursor}`)).errors[0]!.path,
        'cursor',
      )
    })

    it('skips nothing and gives nothing twice while rows move to cold, files merge and events arrive', async () => {
      const all = new Set((await readAll(AUGUST)).map(({ event_id }) => event_id))
      const seen: string[] = []
      let next: string | null = ''
      for (let round = 0; next !== null; round += 1) {
        const read: Page = await page(`${AUGUST}&limit=2${next === '' ? '' : `&cursor=${next}`}`)
        seen.push(...read.data.map(({ event_id }) => event_id))
        next = read.next_cursor
        // On both sides of the cursor. Every sixth compaction merges.
        await put(sampleEvents(100 + round, 2, '2025-08-01', 2))
        if (round % 2 === 0) await store.compact()
      }
      assert.equal(new Set(seen).size, seen.length)
      assert.deepEqual(
        [...all].filter((id) => !seen.includes(id)),
        [],
      )
    })
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

  it('answers in the format that was asked for', async () => {
    await put([eventOf({ properties: { a: 1 } }), eventOf(), eventOf()])
    const types = {
      json: 'application/json',
      ndjson: 'application/x-ndjson',
      csv: 'text/csv; charset=utf-8; header=present',
    }
    const asked: [accept: string | undefined, query: string, format: keyof typeof types][] = [
      [undefined, '', 'json'],
      ['*/*', '', 'json'],
      ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', '', 'json'],
      ['application/json', '', 'json'],
      ['application/x-ndjson', '', 'ndjson'],
      ['Text/CSV; charset=utf-8', '', 'csv'],
      ['text/csv;q=0.5, application/x-ndjson;q=0.9', '', 'ndjson'],
      ['text/csv;q=0, application/json;q=0.1', '', 'json'],
      ['text/csv;q=0', '', 'json'],
      ['text/csv', '&format=json', 'json'],
      [undefined, '&format=csv', 'csv'],
      ['application/json', '&format=ndjson', 'ndjson'],
    ]
    for (const [accept, query, format] of asked) {
      const { request, reply } = begin(
        `${store.url}/events?${DAY}&limit=2${query}`,
        'GET',
        accept === undefined ? {} : { accept },
      )
      request.end()
      const { status, headers, text } = await reply
      assert.equal(status, 200)
      assert.equal(headers['content-type'], types[format], `${accept} ${query}`)
      assert.equal(headers['vary'], 'Accept')
      const lines = text.split(/\r?\n/)
      if (format === 'json') assert.equal((JSON.parse(text) as Page).data.length, 2)
      else assert.deepEqual([lines.length, lines.at(-1)], [format === 'csv' ? 4 : 3, ''])
    }
    const empty = (format: string) =>
      getReply(`${store.url}/events?from=2001-01-01&to=2001-01-01&format=${format}`)
    assert.equal((await empty('ndjson')).text, '')
    assert.equal((await empty('csv')).text, 'event_id,occurred_at,user_id,event_type,properties_json\r\n')
    const head = await fetch(`${store.url}/events?${DAY}`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
  })

  it('links to the next page, with everything that was asked', async () => {
    await put(
      Array.from({ length: 3 }, (_, i) =>
        eventOf({ user_id: 'Łódź <a> "b"; c,d', properties: { 'k&=>': `v${i % 1}` } }),
      ),
    )
    const query = new URLSearchParams([
      ['from', '2025-08-01'],
      ['to', '2025-08-01'],
      ['user_id', 'Łódź <a> "b"; c\\,d'],
      ['properties.k&=>', 'v0'],
      ['limit', '1'],
    ])
    for (const format of ['json', 'ndjson', 'csv']) {
      const seen: string[] = []
      let path: string | undefined = `/events?${query}&format=${format}`
      for (let pages = 0; path !== undefined; pages += 1) {
        assert.ok(pages < 3)
        const { text, headers }: Awaited<ReturnType<typeof getReply>> = await getReply(store.url + path)
        seen.push(/[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text)![0])
        const link = headers['link'] as string | undefined
        path = link === undefined ? undefined : /^<([^<>]+)>; rel="next"$/.exec(link)![1]!
        assert.equal(path?.match(/cursor=/g)?.length ?? 1, 1)
      }
      assert.equal(new Set(seen).size, 3)
    }
  })

  it('gives CSV that can be imported again, into the same events', async () => {
    await put([
      eventOf({
        user_id: 'a "quoted", user',
        event_type: ' spaces ',
        properties: { text: 'line\nbreak, "x"\r\n🐧', n: 1e21 },
      }),
      eventOf({ user_id: '-1', event_type: '=1+1', occurred_at: '2025-08-01T23:59:59.999999Z' }),
      eventOf({ user_id: 'new\nline\r\n', event_type: '"', properties: { ['__proto__']: 1, '': null } }),
      ...sampleEvents(6, 300, '2025-08-01', 2),
    ])
    await store.compact()
    await put(sampleEvents(7, 100, '2025-08-01', 3))
    const before_import = await readAll(AUGUST)
    const { text } = await getReply(`${store.url}/events?${AUGUST}&limit=10000&format=csv`)
    const other = createInProcessStore()
    try {
      const report = await other.importCsv(text)
      assert.deepEqual([report.imported, report.rejected, report.duplicates], [403, 0, 0])
      assert.equal((await store.importCsv(text)).duplicates, 403)
      await other.start()
      const { text: again } = await getReply(`${other.url}/events?${AUGUST}&limit=10000&format=csv`)
      assert.equal(again, text)
      const json = (await getReply(`${other.url}/events?${AUGUST}&limit=1000`)).text
      assert.deepEqual((JSON.parse(json) as Page).data, before_import)
    } finally {
      await other.remove()
    }
  })

  it('names a damaged file that it needs, and reads the other days', async () => {
    await put(sampleEvents(8, 60, '2025-08-01', 3))
    await store.compact()
    const file = store.listed().find((path) => path.includes('2025-08-02'))!
    const path = join(store.layout.cold, file)
    const bytes = readFileSync(path)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(path, bytes)
    const told = async () => {
      const response = await fetch(`${store.url}/events?${AUGUST}`)
      const problem = (await response.json()) as Problem
      assert.equal(response.status, 500)
      assert.equal(problem.type, '/problems/cold_file_damaged')
      assert.match(problem.detail, /2025-08-02/)
      assert.ok(problem.detail.includes(file))
    }
    await told()
    // The newest day fills the page, and whether there is more; the damaged one is not needed.
    assert.equal((await page(`${AUGUST}&limit=1`)).data.length, 1)
    assert.ok((await page(DAY)).data.length > 0)
    renameSync(path, `${path}.away`)
    await told()
  })

  it('refuses stored properties that are no JSON, rather than break the reply around them', async () => {
    await put([eventOf({ event_type: 'good' })])
    store.inSqlite((db) =>
      db
        .prepare(
          'INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)',
        )
        .run(
          Buffer.from(idFor('bad').replaceAll('-', ''), 'hex'),
          Date.parse('2025-08-02') * 1_000,
          'u',
          't',
          '{"a":',
        ),
    )
    const response = await fetch(`${store.url}/events?${AUGUST}`)
    const problem = (await response.json()) as Problem
    assert.deepEqual([response.status, problem.type], [500, '/problems/query_failed'])
    assert.equal((await page(DAY)).data.length, 1)
  })

  it('shows an event in the first page after its 200', async () => {
    for (let i = 0; i < 50; i += 1) {
      const event = eventOf({ occurred_at: `2025-08-01T00:00:${String(i).padStart(2, '0')}Z` })
      await put([event])
      assert.equal((await page(`${DAY}&limit=1`)).data[0]!.event_id, event['event_id'])
      if (i % 20 === 9) await store.compact({ now_us: Date.parse('2025-08-01') * 1_000 + 5 * US_PER_DAY })
    }
  })
})
