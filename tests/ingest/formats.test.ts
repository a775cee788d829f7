import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encode, ExtData } from '@msgpack/msgpack'
import { BODY_DEPTH_MAX, BRACKETS_UNCHECKED_MAX } from '../../src/event/nesting.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { assertProblem, eventOf, sendBytes } from '../support/wire.ts'
import type { Answered } from '../support/wire.ts'

const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json'
const EVENTS_MAX = 5
const NDJSON = 'application/x-ndjson'
const CSV = 'text/csv'
const MSGPACK = 'application/msgpack'

const line = (fields?: Record<string, unknown>) => JSON.stringify(eventOf(fields))
const full = (fields: Record<string, unknown> = {}) => eventOf({ properties: {}, ...fields })

function assertCounts(reply: Answered, received: number, accepted: number): void {
  assert.equal(reply.status, 200, JSON.stringify(reply.json))
  assert.deepEqual([reply.json['received'], reply.json['accepted']], [received, accepted])
}

const errorsOf = (reply: Answered) =>
  (reply.json['errors'] as { index: number; path: string; message: string }[]).map(
    ({ index, path, message }) => [index, path, message],
  )

const map = (key: string, value: Uint8Array) => Buffer.concat([encode(key), value])

const fulls = (count: number) => Array.from({ length: count }, () => full())

const row = (fields: Record<string, unknown> = {}) => {
  const { event_id, occurred_at, user_id, event_type } = full(fields)
  return [event_id, occurred_at, user_id, event_type, '{}'].join(',')
}

const held = (value: unknown) => full({ properties: { value } })

const levels = (count: number) => Buffer.concat([Buffer.alloc(count, 0x91), Buffer.from([0xc0])])

describe('a body', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({ EVENTS_PER_REQUEST_MAX: String(EVENTS_MAX) })

  const send = (type: string, body: string | Uint8Array, query = '') =>
    sendBytes(`${store.url}/events${query}`, { 'content-type': type }, Buffer.from(body))

  function stored(event: Record<string, unknown>): Record<string, unknown> | undefined {
    const id = Buffer.from(String(event['event_id']).replaceAll('-', ''), 'hex')
    return store.inSqlite((db) =>
      db.prepare('SELECT user_id, event_type, properties FROM events WHERE event_id = ?').get(id),
    ) as Record<string, unknown> | undefined
  }

  it('stores the same event from every format', async () => {
    const properties = { n: 1.5, s: 'a,"b"\r\nцé🦓', list: [1, [null, true]], o: { '': {} } }
    const events = Array.from({ length: 4 }, () => full({ user_id: 'ü1', properties }))
    assertCounts(await send('application/json', JSON.stringify(events[0])), 1, 1)
    assertCounts(await send(NDJSON, JSON.stringify(events[1])), 1, 1)
    assertCounts(await send(CSV, toCsv([events[2] as unknown as SampleEvent])), 1, 1)
    assertCounts(await send(MSGPACK, encode([events[3]])), 1, 1)
    for (const event of events) {
      assert.deepEqual(stored(event), {
        user_id: 'ü1',
        event_type: 'app_open',
        properties: JSON.stringify(properties),
      })
    }
    // One id is one event, whatever it comes in.
    for (const type of [MSGPACK, 'application/x-msgpack', 'application/vnd.msgpack']) {
      assert.equal((await send(type, encode(events))).json['duplicates'], 4)
    }
  })

  it('keeps properties that are named like parts of an object, and is not changed by them', async () => {
    const properties = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":2}'
    const event = full()
    const json = JSON.stringify(event).replace('"properties":{}', `"properties":${properties}`)
    const one = Buffer.concat([Buffer.from([0x81]), map('polluted', encode(1))])
    const packed = Buffer.concat([
      Buffer.from([0x83]),
      map('__proto__', one),
      map('constructor', Buffer.concat([Buffer.from([0x81]), map('prototype', one)])),
      map('toString', encode(2)),
    ])
    const of = { json: full(), ndjson: full(), csv: full(), msgpack: full() }
    const withId = (id: unknown) => json.replace(String(event['event_id']), String(id))
    await send('application/json', `[${withId(of.json['event_id'])}]`)
    await send(NDJSON, withId(of.ndjson['event_id']))
    await send(
      CSV,
      `${HEADER}\n${String(of.csv['event_id'])},2025-08-01,u1,app_open,"${properties.replaceAll('"', '""')}"`,
    )
    const rest = Object.entries(of.msgpack).filter(([name]) => name !== 'properties')
    await send(
      MSGPACK,
      Buffer.concat([
        Buffer.from([0x85]),
        ...rest.map(([name, value]) => map(name, encode(value))),
        map('properties', packed),
      ]),
    )
    for (const [name, sent] of Object.entries(of))
      assert.equal(stored(sent)?.['properties'], properties, name)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  for (const [name, type, bodyOf] of [
    ['JSON', 'application/json', (events: unknown[]) => JSON.stringify(events)],
    ['NDJSON', NDJSON, (events: unknown[]) => events.map((e) => JSON.stringify(e)).join('\n')],
    ['CSV', CSV, (events: unknown[]) => toCsv(events as SampleEvent[])],
    ['MessagePack', MSGPACK, (events: unknown[]) => encode(events)],
  ] as const) {
    it(`of ${name} may have as many events as the limit and not one more`, async () => {
      assertProblem(await send(type, bodyOf(fulls(EVENTS_MAX + 1))), 413, 'too_many_events')
      assertCounts(await send(type, bodyOf(fulls(EVENTS_MAX))), EVENTS_MAX, EVENTS_MAX)
      assertCounts(await send(type, bodyOf(fulls(EVENTS_MAX - 1))), EVENTS_MAX - 1, EVENTS_MAX - 1)
    })

    it(`of ${name} stores the neighbours of a rejected event, or nothing when the client is strict`, async () => {
      const events = [full(), full({ user_id: '' }), full()]
      assert.equal((await send(type, bodyOf(events), '?strict=true')).status, 422)
      assert.equal(stored(events[0]!), undefined)
      const reply = await send(type, bodyOf(events))
      assertCounts(reply, 3, 2)
      assert.deepEqual(
        errorsOf(reply).map(([index, path]) => [index, path]),
        [[1, 'user_id']],
      )
    })
  }

  describe('of NDJSON', () => {
    it('ignores blank lines, ends of lines of any kind, and a byte order mark', async () => {
      const body = `\uFEFF\n \t\r\n${line()}\r\n\n\n${line()}\n${line()}`
      assertCounts(await send(NDJSON, body), 3, 3)
      assertCounts(await send(`${NDJSON}; charset=UTF-8`, `${line()}\n`), 1, 1)
      assertCounts(await send(NDJSON, ''), 0, 0)
      assertCounts(await send(NDJSON, '\n \n'), 0, 0)
    })

    it('rejects a line that cannot be read, by its index among the events and its line', async () => {
      const broken = Buffer.concat([
        Buffer.from(`${line()}\n\n{"event_id":\n`),
        Buffer.from([0x22, 0xff, 0x22, 0x0a]),
        Buffer.from(`${'['.repeat(BODY_DEPTH_MAX + 1)}\n${line()}\n`),
      ])
      const reply = await send(NDJSON, broken)
      assertCounts(reply, 5, 2)
      assert.deepEqual(errorsOf(reply), [
        [1, '', 'line 3 is not JSON'],
        [2, '', 'line 4 is not valid UTF-8'],
        [3, '', 'line 5 is nested too deep'],
      ])
    })
  })

  describe('of CSV', () => {
    it('may have its columns in any order, and line and reason besides', async () => {
      const event = full()
      const reply = await send(
        CSV,
        `reason,properties_json,event_type,user_id,line,occurred_at,event_id\n,,t,u,7,2025-08-01,${String(event['event_id'])}`,
      )
      assertCounts(reply, 1, 1)
      assert.deepEqual(stored(event), { user_id: 'u', event_type: 't', properties: '{}' })
    })

    it('must begin with the header of an import', async () => {
      for (const body of [
        '',
        '\n',
        row(),
        'event_id,user_id\n',
        `${HEADER},surprise\n`,
        `${HEADER},user_id\n`,
        '[]',
      ]) {
        assertProblem(await send(CSV, body), 400, 'not_csv')
      }
      assertCounts(await send(CSV, HEADER), 0, 0)
      assertCounts(await send(CSV, `\uFEFF${HEADER}\r\n${row()}\r\n`), 1, 1)
    })

    it('rejects a row that cannot be read, and no other', async () => {
      const body = [HEADER, row(), 'too,few', '', `${row()},more`, row().replace('{}', '{'), row()]
      const reply = await send(CSV, body.join('\n'))
      assertCounts(reply, 5, 2)
      assert.deepEqual(errorsOf(reply), [
        [1, '', 'the row has 2 fields instead of 5'],
        [2, '', 'the row has 6 fields instead of 5'],
        [3, 'properties_json', 'properties_json is not JSON'],
      ])
      const open = await send(CSV, `${HEADER}\n${row()}\n${row().replace('u1', '"u1')}\n${row()}`)
      // A quote that nobody closed costs its own line.
      assertCounts(open, 3, 2)
      const bytes = Buffer.concat([
        Buffer.from(`${HEADER}\n${row({ user_id: '' }).split(',,')[0]},`),
        Buffer.from([0xff]),
        Buffer.from(`,t,{}\n${row()}`),
      ])
      const latin = await send(CSV, bytes)
      assertCounts(latin, 2, 1)
      assert.deepEqual(errorsOf(latin), [[0, '', 'the row is not valid UTF-8']])
    })

    it('may have blank rows, which are no events', async () => {
      assertCounts(await send(CSV, `\n${HEADER}\n\r\n${row()}${'\n'.repeat(EVENTS_MAX + 2)}`), 1, 1)
    })
  })

  describe('of MessagePack', () => {
    it('is refused as a whole when it is damaged', async () => {
      const bytes = encode([full()])
      const bodies = [
        new Uint8Array(0),
        bytes.subarray(0, -1),
        Buffer.concat([bytes, bytes]),
        Buffer.from([0x91, 0xc1]),
        Buffer.from([0xdd, 0, 0, 0, 2, 0x80]),
        Buffer.from([0x91, 0xdf, 0xff, 0xff, 0xff, 0xff]),
        Buffer.from([0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]),
      ]
      for (const body of bodies) assertProblem(await send(MSGPACK, body), 400, 'not_msgpack')
      assertProblem(await send(MSGPACK, Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])), 413, 'too_many_events')
      for (const body of [null, 7, 'text', true]) {
        assertProblem(await send(MSGPACK, encode(body)), 400, 'not_an_array')
      }
      assertCounts(await send(MSGPACK, encode([])), 0, 0)
      assertCounts(await send(MSGPACK, encode(full())), 1, 1)
    })

    const refused: Record<string, [() => Uint8Array, RegExp]> = {
      'binary values': [() => encode(held(Uint8Array.of(1, 2))), /binary/],
      'a binary user': [() => encode(full({ user_id: Uint8Array.of(1) })), /binary/],
      timestamps: [() => encode(held(new Date(1e12))), /extension types/],
      extensions: [() => encode(held(new ExtData(5, new Uint8Array(300)))), /extension types/],
      NaN: [() => encode(held(NaN)), /range of a double/],
      Infinity: [() => encode(held(-Infinity)), /range of a double/],
      'a user of 2^53': [() => encode(full({ user_id: 2n ** 53n }), { useBigInt64: true }), /2\^53/],
      'a key that is a number': [() => Buffer.from([0x81, 1, 2]), /keys of a map/],
      'broken UTF-8': [() => Buffer.from([0x81, 0xa1, 0xff, 1]), /UTF-8/],
      'more values than JSON of that size has': [
        () => encode(held(Array(40_000).fill(0))),
        /at most 32768 values/,
      ],
      'nesting beyond 32 levels': [() => encode(held(nested(33)), { maxDepth: 99 }), /nested/],
    }
    for (const [what, [bytes, message]] of Object.entries(refused)) {
      it(`rejects an event with ${what}, and takes its neighbours`, async () => {
        const reply = await send(
          MSGPACK,
          Buffer.concat([Buffer.from([0x93]), encode(full()), bytes(), encode(full())]),
        )
        assertCounts(reply, 3, 2)
        const [[index, , said] = []] = errorsOf(reply)
        assert.equal(index, 1)
        assert.match(String(said), message)
      })
    }

    it('counts the values of an event, keys too, up to the limit', async () => {
      // Thirteen besides: the event, its five names and five values, the name and the list within its properties.
      for (const [count, message] of [
        [32_768 - 13, /bytes of JSON/],
        [32_768 - 12, /at most 32768 values/],
      ] as const) {
        const reply = await send(MSGPACK, encode([full(), held(Array(count).fill(0))]))
        assertCounts(reply, 2, 1)
        assert.match(String(errorsOf(reply)[0]![2]), message)
      }
    })

    it('keeps every kind of number that JSON can hold', async () => {
      const numbers = [
        0,
        1,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        2 ** 32 - 1,
        2 ** 32,
        2 ** 53 - 1,
        0.1,
        1e300,
      ]
      const list = [...numbers, ...numbers.map((n) => -n), -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31)]
      const event = full({ properties: { list, long: 'x'.repeat(300), longer: 'é'.repeat(5_000) } })
      assertCounts(await send(MSGPACK, encode(event)), 1, 1)
      assert.equal(stored(event)?.['properties'], JSON.stringify(event['properties']))
      const wide = full({ user_id: 7, properties: Object.fromEntries(list.map((n, i) => [`k${i}`, n])) })
      assertCounts(await send(MSGPACK, encode(wide, { forceIntegerToFloat: true })), 1, 1)
      assert.equal(stored(wide)?.['user_id'], '7')
    })

    it('may nest as deep as the limit and not one level more', async () => {
      // The array of events is read apart from them.
      assert.equal((await send(MSGPACK, levels(BODY_DEPTH_MAX + 1))).status, 422)
      assertProblem(await send(MSGPACK, levels(BODY_DEPTH_MAX + 2)), 400, 'nested_too_deep')
      assertProblem(
        await send(MSGPACK, Buffer.alloc(howMany('bytes_of_the_largest_body') / 2, 0x91)),
        400,
        'nested_too_deep',
      )
    })
  })

  describe('of JSON with many brackets', () => {
    const flat = Array(BRACKETS_UNCHECKED_MAX).fill('[]').join()
    const nest = (depth: number) => `[${'['.repeat(depth - 1)}${']'.repeat(depth - 1)},${flat}]`

    it('may nest as deep as the limit and not one level more', async () => {
      assertProblem(await send('application/json', nest(BODY_DEPTH_MAX)), 413, 'too_many_events')
      assertProblem(await send('application/json', nest(BODY_DEPTH_MAX + 1)), 400, 'nested_too_deep')
    })

    it('is not misled by strings', async () => {
      const text = JSON.stringify(['"\\', '['.repeat(BRACKETS_UNCHECKED_MAX + 1), '\\"{'])
      assert.equal((await send('application/json', text)).status, 422)
      const closed = JSON.stringify([']'.repeat(BODY_DEPTH_MAX)]).slice(0, -1)
      const hidden = `${closed},${'{"]":'.repeat(BRACKETS_UNCHECKED_MAX + 1)}`
      assertProblem(await send('application/json', hidden), 400, 'nested_too_deep')
    })

    it('is refused before it is parsed', async () => {
      for (const open of ['[', '{"a":']) {
        const body = open.repeat(Math.floor(howMany('bytes_of_the_largest_body') / open.length))
        assertProblem(await send('application/json', body), 400, 'nested_too_deep')
      }
    })
  })
})

const nested = (depth: number): unknown => (depth === 1 ? {} : { d: nested(depth - 1) })
