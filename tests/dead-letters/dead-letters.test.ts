import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { LETTER_BYTES_MAX, LETTERS_PER_REQUEST_MAX, writeLetter } from '../../src/dead-letters/letter.ts'
import { LETTERS_LISTED_MAX } from '../../src/dead-letters/desk.ts'
import { openShelf, sizeOfShelf } from '../../src/dead-letters/shelf.ts'
import { MICROS_PER_DAY } from '../../src/event/time.ts'
import { openLayout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import { createTestStore, get, post } from '../support/store.ts'
import { begin, eventOf } from '../support/wire.ts'

interface Entry {
  id: number
  received_at: string
  source: string
  path: string
  message: string
  event_id: string | null
  is_cut: boolean
  events_omitted: number
}

interface Page {
  data: Entry[]
  next_cursor: string | null
}

const bad = (fields: Record<string, unknown> = {}) => eventOf({ event_type: '', ...fields })

describe('dead letters', () => {
  const home = serveStore()

  const list = async (query = '') => (await get<Page>(`${home.url}/dead-letters${query}`)).json
  const newest = async () => (await list('?limit=1')).data[0]!
  const remove = (id: number) => fetch(`${home.url}/dead-letters/${id}`, { method: 'DELETE' })
  const replay = (id: number, event?: unknown) =>
    event === undefined
      ? fetch(`${home.url}/dead-letters/${id}/replay`, { method: 'POST' })
      : fetch(`${home.url}/dead-letters/${id}/replay`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(event),
        })
  const eventsStored = () =>
    home.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get() as number)

  it('keep every rejected event of a batch with its reason and its text, and its neighbours are stored', async () => {
    const good = eventOf()
    const wrong = bad({ properties: { note: 'żółć', __proto__: 1 } })
    const { json } = await post(`${home.url}/events`, [good, wrong, 'nonsense', null, { user_id: 1 }])
    assert.deepEqual([json['accepted'], json['rejected']], [1, 4])
    const { data, next_cursor } = await list()
    assert.equal(next_cursor, null)
    assert.deepEqual(
      data.map(({ path, message, event_id, is_cut }) => ({ path, message, event_id, is_cut })).toReversed(),
      (json['errors'] as Entry[]).map(({ path, message, event_id = null }) => ({
        path,
        message,
        event_id,
        is_cut: false,
      })),
    )
    const kept = await Promise.all(
      data.map(
        async ({ id }) => (await get<{ event: unknown }>(`${home.url}/dead-letters/${id}`)).json.event,
      ),
    )
    assert.deepEqual(kept.toReversed(), [wrong, 'nonsense', null, { user_id: 1 }])
    assert.ok(data.every(({ source, events_omitted }) => source === '127.0.0.1' && events_omitted === 0))
    assert.match(data[0]!.received_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  it('are kept when every event is invalid, and are not when the request is strict', async () => {
    const before_id = (await newest()).id
    assert.equal((await post(`${home.url}/events`, [bad(), bad()])).status, 422)
    assert.equal((await newest()).id, before_id + 2)
    assert.equal((await post(`${home.url}/events?strict=true`, [bad(), eventOf()])).status, 422)
    assert.equal((await newest()).id, before_id + 2)
  })

  it('are listed newest first, page by page, and by reason', async () => {
    await post(`${home.url}/events`, [bad(), bad(), eventOf({ occurred_at: 'yesterday' }), bad(), bad()])
    const all = (await list(`?limit=${LETTERS_LISTED_MAX}`)).data
    assert.deepEqual(
      all.map(({ id }) => id),
      all.map(({ id }) => id).toSorted((a, b) => b - a),
    )
    const pages: Entry[] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Page = await list(`?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
      pages.push(...page.data)
      cursor = page.next_cursor
    }
    assert.deepEqual(pages, all)
    const of_time = await list('?reason=occurred_at')
    assert.deepEqual(
      of_time.data,
      all.filter(({ path }) => path === 'occurred_at'),
    )
    const { message } = of_time.data[0]!
    assert.deepEqual((await list(`?reason=${encodeURIComponent(message)}`)).data, of_time.data)
    assert.deepEqual((await list('?reason=user_id')).data, [])
  })

  it('refuse parameters that are wrong, and name them', async () => {
    for (const [query, path] of [
      ['limit=0', 'limit'],
      [`limit=${LETTERS_LISTED_MAX + 1}`, 'limit'],
      ['limit=x', 'limit'],
      ['cursor=-1', 'cursor'],
      ['limit=1&limit=2', ''],
      ['page=2', ''],
    ]) {
      const { status, json } = await get<{ errors: { path: string }[] }>(`${home.url}/dead-letters?${query}`)
      assert.deepEqual([status, json.errors.map((error) => error.path)], [400, [path]], query)
    }
    for (const id of ['0', 'x', '99999999999999999', '-1'])
      assert.equal((await get(`${home.url}/dead-letters/${id}`)).status, 404)
    assert.equal((await replay(999_999)).status, 404)
    assert.equal((await remove(999_999)).status, 404)
  })

  it('are stored exactly once when they are replayed with a corrected event, however many try', async () => {
    const event = bad()
    await post(`${home.url}/events`, [event])
    const { id } = await newest()
    const before_count = eventsStored()
    assert.equal((await replay(id)).status, 422)
    assert.equal((await newest()).id, id, 'a replay that is refused makes no other letter')
    const corrected = { ...event, event_type: 'purchase' }
    const replies = await Promise.all(Array.from({ length: 8 }, () => replay(id, corrected)))
    assert.deepEqual(replies.map(({ status }) => status).toSorted(), [200, 404, 404, 404, 404, 404, 404, 404])
    const { accepted } = (await replies.find(({ status }) => status === 200)!.json()) as { accepted: number }
    assert.equal(accepted, 1)
    assert.equal(eventsStored(), before_count + 1)
    assert.equal((await get(`${home.url}/dead-letters/${id}`)).status, 404)
    assert.equal((await post(`${home.url}/events`, [corrected])).json['duplicates'], 1)
  })

  it('are replayed once when two ask at the same moment, each with another event', async () => {
    await post(`${home.url}/events`, [bad()])
    const { id } = await newest()
    const before_count = eventsStored()
    const bodies = [eventOf(), eventOf()].map((event) => JSON.stringify(event))
    const requests = bodies.map((body) =>
      begin(`${home.url}/dead-letters/${id}/replay`, 'POST', {
        'content-type': 'application/json',
        'content-length': String(body.length),
        expect: '100-continue',
      }),
    )
    const seen = requests.map(({ request }) => once(request, 'continue'))
    for (const { request } of requests) request.flushHeaders()
    // Both have found the letter before either has its body.
    await Promise.all(seen)
    for (const [i, { request }] of requests.entries()) request.end(bodies[i])
    const replies = await Promise.all(requests.map(({ reply }) => reply))
    assert.deepEqual(replies.map(({ status }) => status).toSorted(), [200, 404])
    assert.equal(eventsStored(), before_count + 1)
  })

  it('are replayed with exactly one event', async () => {
    await post(`${home.url}/events`, [bad()])
    const { id } = await newest()
    const before_count = eventsStored()
    for (const events of [[], [eventOf(), eventOf()]]) {
      assert.equal((await replay(id, events)).status, 422)
      assert.equal((await newest()).id, id)
    }
    assert.equal(eventsStored(), before_count)
    assert.equal((await replay(id, [eventOf()])).status, 200)
    assert.equal(eventsStored(), before_count + 1)
  })

  it('are stored as they are when what was wrong was the clock', async () => {
    const event = eventOf({ occurred_at: new Date(Date.now() + 25 * 3_600_000).toISOString() })
    await post(`${home.url}/events`, [event])
    const { id, event_id } = await newest()
    assert.equal(event_id, event['event_id'])
    const body = JSON.stringify({ ...event, occurred_at: '2025-08-01T00:00:00Z' })
    home.inSqlite((db) => db.prepare('UPDATE dead_letters SET body = ? WHERE id = ?').run(body, id))
    assert.equal((await replay(id)).status, 200)
    assert.equal((await post(`${home.url}/events`, [JSON.parse(body)])).json['duplicates'], 1)
  })

  it('keep the digits of a number that only MessagePack has', async () => {
    const event = { ...bad(), properties: { big: 2n ** 63n } }
    const response = await fetch(`${home.url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/msgpack' },
      body: encode([event], { useBigInt64: true }),
    })
    assert.equal(response.status, 422)
    const shown = await (await fetch(`${home.url}/dead-letters/${(await newest()).id}`)).text()
    assert.ok(shown.includes('"properties":{"big":9223372036854775808}'), shown)
  })

  it('keep the digits of numbers, also when they are replayed', async () => {
    const good = eventOf()
    const properties = '{"order":9007199254740993,"price":1.10,"small":1e-7}'
    const body = JSON.stringify({ ...good, occurred_at: '2999-01-01', properties: 0 }).replace(
      '"properties":0',
      `"properties":${properties}`,
    )
    await post(`${home.url}/events`, `[${body}]`)
    const shown = await (await fetch(`${home.url}/dead-letters/${(await newest()).id}`)).text()
    assert.ok(shown.includes(`"properties":${properties}`), shown)
    assert.equal((await post(`${home.url}/events`, '[{"event_id":1.0,"properties":1.0}]')).status, 422)
    const no_object = JSON.stringify(eventOf({ properties: 0 })).replace('"properties":0', '"properties":1.0')
    assert.equal((await post(`${home.url}/events`, `[${no_object}]`)).status, 422)
  })

  it('keep no more than the reason of what is nested too deep to be written', async () => {
    const levels = 20_000
    const { status, json } = await post(`${home.url}/events`, `[${'['.repeat(levels)}${']'.repeat(levels)}]`)
    assert.equal(status, 422, JSON.stringify(json))
    const { is_cut, message } = await newest()
    assert.deepEqual([is_cut, message], [true, 'event_id is missing'])
  })

  it('of one request are kept one by one up to a number, and one letter counts the rest', async () => {
    const before_id = (await newest()).id
    const send = (count: number, query = '') =>
      post(`${home.url}/events${query}`, [eventOf(), ...Array.from({ length: count }, () => 1)])
    assert.equal((await send(LETTERS_PER_REQUEST_MAX)).json['events_omitted'], undefined)
    assert.deepEqual(
      [(await newest()).id, (await newest()).events_omitted],
      [before_id + LETTERS_PER_REQUEST_MAX, 0],
    )
    const { json } = await send(LETTERS_PER_REQUEST_MAX + 7)
    assert.deepEqual(
      [json['accepted'], json['rejected'], json['events_omitted']],
      [1, LETTERS_PER_REQUEST_MAX + 7, 7],
    )
    const rest = await newest()
    assert.deepEqual([rest.id, rest.events_omitted], [before_id + 2 * LETTERS_PER_REQUEST_MAX + 1, 7])
    assert.match(rest.message, /^7 more rejected events/)
    const strict = await send(LETTERS_PER_REQUEST_MAX + 7, '?strict=true')
    assert.deepEqual([strict.status, strict.json['events_omitted']], [422, undefined])
    assert.equal((await newest()).id, rest.id)

    for (const event of [undefined, eventOf()]) {
      const refused = await replay(rest.id, event)
      assert.equal(refused.status, 422)
      assert.match(((await refused.json()) as { detail: string }).detail, /^This letter only counts 7 /)
    }
    const shown = await get<{ event: unknown }>(`${home.url}/dead-letters/${rest.id}`)
    assert.equal(shown.json.event, null)
    assert.equal((await remove(rest.id)).status, 204)
  })

  it('are deleted one by one', async () => {
    await post(`${home.url}/events`, [bad()])
    const { id } = await newest()
    assert.equal((await remove(id)).status, 204)
    assert.equal((await remove(id)).status, 404)
    assert.notEqual((await newest()).id, id)
  })

  it('are kept whole up to the limit, and one byte beyond only their beginning', async () => {
    const note = bad({ note: '' })
    for (const [over, is_cut] of [
      [0, false],
      [1, true],
    ] as const) {
      const event = { ...note, note: 'x'.repeat(LETTER_BYTES_MAX - JSON.stringify(note).length + over) }
      await post(`${home.url}/events`, [event])
      const { id } = await newest()
      const { json } = await get<{ event: unknown; is_cut: boolean }>(`${home.url}/dead-letters/${id}`)
      assert.equal(json.is_cut, is_cut)
      if (!is_cut) assert.deepEqual(json.event, event)
      else {
        assert.ok(JSON.stringify(event).startsWith(json.event as string))
        const refused = await replay(id)
        assert.equal(refused.status, 422)
        assert.match(((await refused.json()) as { detail: string }).detail, /^Only the beginning/)
        assert.equal((await replay(id, eventOf())).status, 200)
      }
    }
  })
})

it('a letter of any text keeps within its bytes, also where they are more than its characters', () => {
  const error = { path: 'note', message: 'is not known' }
  for (const character of ['ż', '🦓', '"', '\\', '\n', '\u0001', '\ud800', 'x']) {
    for (const chars of [LETTER_BYTES_MAX / 8, LETTER_BYTES_MAX / 2, LETTER_BYTES_MAX]) {
      const text = character.repeat(chars)
      for (const event of [{ note: text }, text]) {
        const { body, is_cut } = writeLetter(event, null, error)
        assert.ok(Buffer.byteLength(body) <= LETTER_BYTES_MAX, `${Buffer.byteLength(body)} of ${character}`)
        assert.equal(is_cut, Buffer.byteLength(JSON.stringify(event)) > LETTER_BYTES_MAX)
        const kept = JSON.parse(body) as unknown
        if (!is_cut) assert.deepEqual(kept, event)
        else assert.ok(Buffer.byteLength(kept as string) >= LETTER_BYTES_MAX / 4, 'it keeps what it can')
      }
    }
  }
})

const letterOf = (bytes: number, character = 'x') => ({
  path: 'user_id',
  message: 'is missing',
  event_id: null,
  body: character.repeat(bytes),
  is_cut: false,
  events_omitted: 0,
})

/** Empties the shelf and its counts. */
function clear(db: Sqlite): void {
  db.exec(`DELETE FROM dead_letters; DELETE FROM dead_letter_sources;
           UPDATE dead_letter_totals SET letters = 0, bytes = 0`)
}

/** The bytes of each letter, by source, oldest first. */
function held(db: Sqlite): Record<string, string> {
  const rows = db
    .prepare(`SELECT source, group_concat(bytes) AS sizes
              FROM (SELECT * FROM dead_letters ORDER BY id) GROUP BY source ORDER BY source`)
    .all() as { source: string; sizes: string }[]
  return Object.fromEntries(rows.map(({ source, sizes }) => [source, sizes]))
}

type Sizes = Map<string, { letters: number; bytes: number }>

/** What each source has, counted letter by letter. */
const sizesOf = (db: Sqlite) =>
  readSizes(db, 'SELECT source, count(*) AS letters, sum(bytes) AS bytes FROM dead_letters GROUP BY source')

/** What the shelf has counted; the totals must be the sum. */
function counted(db: Sqlite): Sizes {
  const sizes = readSizes(db, 'SELECT source, letters, bytes FROM dead_letter_sources ORDER BY source')
  const values = [...sizes.values()]
  assert.deepEqual(sizeOfShelf(db), {
    letters: values.reduce((sum, { letters }) => sum + letters, 0),
    bytes: values.reduce((sum, { bytes }) => sum + bytes, 0),
  })
  return sizes
}

function readSizes(db: Sqlite, sql: string): Sizes {
  const rows = db.prepare(sql).all() as { source: string; letters: number; bytes: number }[]
  return new Map(rows.map(({ source, letters, bytes }) => [source, { letters, bytes }]))
}

describe('the shelf of dead letters', () => {
  const home = createInProcessStore()
  after(() => home.remove())

  const bytesLeft = () =>
    home.inSqlite((db) => db.prepare('SELECT length(body) FROM dead_letters ORDER BY id').pluck().all())

  it('is bounded by number, by bytes and by age, and the oldest go first', () => {
    home.inSqlite((db) => {
      const shelf = openShelf(db, { letters_max: 3, bytes_max: 100, age_max_days: 2 })
      for (const bytes of [10, 11, 12]) shelf.put([letterOf(bytes)], 'a test', 0)
      assert.deepEqual(bytesLeft(), [10, 11, 12])
      shelf.put([letterOf(13)], 'a test', 0)
      assert.deepEqual(bytesLeft(), [11, 12, 13])
      shelf.put([letterOf(75)], 'a test', 0)
      assert.deepEqual(bytesLeft(), [12, 13, 75])
      shelf.put([letterOf(12)], 'a test', 0)
      assert.deepEqual(bytesLeft(), [13, 75, 12])
      shelf.put([letterOf(14)], 'a test', 2 * MICROS_PER_DAY)
      assert.deepEqual(bytesLeft(), [12, 14])
      shelf.put([letterOf(15)], 'a test', 2 * MICROS_PER_DAY + 1)
      assert.deepEqual(bytesLeft(), [14, 15])
    })
  })

  it('counts bytes and not characters', () => {
    home.inSqlite((db) => {
      clear(db)
      const shelf = openShelf(db, { letters_max: 3, bytes_max: 100, age_max_days: 2 })
      shelf.put([letterOf(20), letterOf(40, 'ż'), letterOf(1)], 'a test', 0)
      assert.deepEqual(bytesLeft(), [40, 1])
    })
  })

  it('takes from the source that holds most, by number and by bytes', () => {
    home.inSqlite((db) => {
      clear(db)
      const shelf = openShelf(db, { letters_max: 6, bytes_max: 100, age_max_days: 2 })
      const put = (source: string, ...bytes: number[]) =>
        shelf.put(
          bytes.map((n) => letterOf(n)),
          source,
          0,
        )
      put('loud', ...Array.from({ length: 10 }, () => 1))
      assert.deepEqual(held(db), { loud: '1,1,1,1,1,1' })
      put('quiet', 2, 3)
      put('loud', ...Array.from({ length: 10 }, () => 4))
      assert.deepEqual(held(db), { loud: '4,4,4,4', quiet: '2,3' })
      put('third', 5)
      put('loud', 6)
      assert.deepEqual(held(db), { loud: '4,4,6', quiet: '2,3', third: '5' })
      put('loud', 70, 80)
      assert.deepEqual(held(db), { loud: '80', quiet: '2,3', third: '5' })
    })
  })

  it('stays within its limits and takes nothing from a smaller source, whatever comes and goes', () => {
    const LIMITS = { letters_max: 12, bytes_max: 150, age_max_days: 2 }
    const step = fc.record({
      source: fc.constantFrom('a', 'b', 'c', 'd'),
      sizes: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 9 }),
      taken: fc.nat(20),
    })
    home.inSqlite((db) =>
      fc.assert(
        fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
          // Of one transaction, so that the disk is not waited for after each step.
          db.transaction(() => {
            clear(db)
            const shelf = openShelf(db, LIMITS)
            for (const { source, sizes, taken } of steps) {
              const before = sizesOf(db)
              shelf.put(
                sizes.map((bytes) => letterOf(bytes)),
                source,
                0,
              )
              const after_put = sizesOf(db)
              const totals = { letters: 0, bytes: 0 }
              for (const size of after_put.values())
                for (const by of ['letters', 'bytes'] as const) totals[by] += size[by]
              assert.ok(totals.letters <= LIMITS.letters_max && totals.bytes <= LIMITS.bytes_max)
              const largest = (by: 'letters' | 'bytes') =>
                Math.max(0, ...[...after_put.values()].map((size) => size[by]))
              for (const [other, had] of before) {
                const has = after_put.get(other) ?? { letters: 0, bytes: 0 }
                const lost = other !== source && has.letters < had.letters
                assert.ok(!lost || had.letters >= largest('letters') || had.bytes >= largest('bytes'), other)
              }
              const ids = db.prepare('SELECT id FROM dead_letters ORDER BY id').pluck().all() as number[]
              assert.equal(shelf.take(ids[taken] ?? 0), taken < ids.length)
              assert.deepEqual(counted(db), sizesOf(db))
            }
          })()
        }),
        { numRuns: howMany('shelf_histories') },
      ),
    )
  })

  it('makes room for more than one statement looks at', () => {
    home.inSqlite((db) => {
      clear(db)
      const shelf = openShelf(db, { letters_max: 5_000, bytes_max: 1_000_000, age_max_days: 2 })
      db.exec('BEGIN')
      shelf.put(
        Array.from({ length: 5_000 }, () => letterOf(1)),
        'a test',
        0,
      )
      const small = openShelf(db, { letters_max: 2, bytes_max: 1_000_000, age_max_days: 2 })
      small.put([letterOf(2)], 'a test', 0)
      db.exec('COMMIT')
      assert.deepEqual(bytesLeft(), [1, 2])
    })
  })
})

describe('dead letters and death', () => {
  const store = createTestStore()
  after(() => store.remove())

  it('outlive kill -9 after the reply, with their neighbours', async () => {
    const service = await store.serve()
    await post(`${service.url}/events`, [eventOf(), bad()])
    await service.kill()
    const db = openStore(openLayout(store.data_dir).database)
    const stored = ['events', 'dead_letters'].map((table) =>
      db.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
    )
    db.close()
    assert.deepEqual(stored, [1, 1])
  })
})
