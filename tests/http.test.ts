import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createTestStore, get, post } from './store.ts'
import type { ServiceProcess, TestStore } from './store.ts'
import { begin, eventOf, untilLogged } from './wire.ts'

const BODY_BYTES_MAX = 32 * 1024 * 1024
const EVENTS_MAX = 100_000
const JSON_TYPE = { 'content-type': 'application/json' }
/** Never stands in a reply or in the log, wherever the client puts it. */
const MARKER = 'Zebra-7f3a91'

/** One valid event, and spaces up to the size. */
function bodyOf(bytes: number): Buffer {
  const body = Buffer.alloc(bytes, ' ')
  body.write(JSON.stringify([eventOf({ event_type: 'padded' })]))
  return body
}

function badEvents(count: number): unknown[] {
  return Array.from({ length: count }, () => eventOf({ user_id: '' }))
}

/** One character, two UTF-16 units, four bytes. */
const astral = '🦓'
const propertiesOf = (bytes: number) => ({ k: 'x'.repeat(bytes - '{"k":""}'.length) })
const deep = (levels: number): unknown => (levels === 0 ? 1 : { d: deep(levels - 1) })
const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString()
const HOUR_MS = 3_600_000

// What never happens is waited for in vain; better to fail than to hang.
describe('POST /events', { timeout: 120_000 }, () => {
  let store: TestStore
  let service: ServiceProcess
  let events_url: string
  before(async () => {
    store = createTestStore()
    service = await store.serve()
    events_url = `${service.url}/events`
  })
  after(() => store.remove())

  const send = (body: Exclude<RequestInit['body'], undefined>, headers: Record<string, string> = JSON_TYPE) =>
    fetch(events_url, { method: 'POST', headers, body })

  async function usersOn(day: string, filter = ''): Promise<number> {
    const { json } = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=${day}&to=${day}${filter}`,
    )
    return json.data[0]!.dau
  }

  async function countOf(event_type: string): Promise<number> {
    const filter = encodeURIComponent(`event_type:${event_type}`)
    const { json } = await get<{ data: { count: number }[] }>(
      `${service.url}/stats/top-events?from=2025-01-01&to=2025-12-31&segment=${filter}`,
    )
    return json.data[0]?.count ?? 0
  }

  describe('the body', () => {
    it('is refused as 400 not_json when it is not JSON', async () => {
      const bodies = [
        '',
        ' ',
        '{',
        '[{]',
        'undefined',
        "['a']",
        '[1,]',
        '[NaN]',
        '{"event_id":"x"}\n{"event_id":"y"}',
        Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d), // ["<not UTF-8>"]
        Buffer.from(JSON.stringify([eventOf()]), 'utf16le'),
      ]
      for (const body of bodies) {
        const response = await send(body)
        const problem = (await response.json()) as Record<string, unknown>
        assert.equal(response.status, 400, String(body))
        assert.equal(response.headers.get('content-type'), 'application/problem+json')
        assert.equal(problem['type'], '/problems/not_json')
        assert.equal(problem['status'], 400)
        assert.equal(typeof problem['title'], 'string')
        assert.equal(typeof problem['detail'], 'string')
      }
      assert.equal((await send(null)).status, 400)
    })

    it('is refused as 400 not_an_array when it is JSON of another kind', async () => {
      for (const body of ['null', '"text"', '42', '-1.5', 'true']) {
        const { status, json } = await post(events_url, body)
        assert.equal(status, 400, body)
        assert.equal(json['type'], '/problems/not_an_array')
      }
    })

    it('may be one event instead of an array', async () => {
      const { status, json } = await post(events_url, eventOf())
      assert.equal(status, 200)
      assert.deepEqual(json, { received: 1, accepted: 1, duplicates: 0, rejected: 0, errors: [] })
      const empty = await post(events_url, {})
      assert.equal(empty.status, 422)
      assert.equal(empty.json['type'], '/problems/invalid_events')
    })

    it('may be an empty array', async () => {
      const { status, json } = await post(events_url, [])
      assert.equal(status, 200)
      assert.deepEqual(json, { received: 0, accepted: 0, duplicates: 0, rejected: 0, errors: [] })
    })

    it('may have 100,000 events and not one more', async () => {
      const event_type = 'a_hundred_thousand'
      const events = Array.from({ length: EVENTS_MAX + 1 }, (_, i) => eventOf({ user_id: i, event_type }))
      const over = await post(events_url, events)
      assert.equal(over.status, 413)
      assert.equal(over.json['type'], '/problems/too_many_events')
      assert.match(String(over.json['detail']), /100000/)
      assert.equal(await countOf(event_type), 0)
      events.pop()
      const full = await post(events_url, events)
      assert.equal(full.status, 200)
      assert.equal(full.json['accepted'], EVENTS_MAX)
      assert.equal(await countOf(event_type), EVENTS_MAX)
    })

    describe('at the limit of 32 MiB', () => {
      const ways: Record<string, (body: Buffer) => Promise<{ status: number; text: string }>> = {
        'fetch with a length': async (body) => {
          const response = await send(body)
          return { status: response.status, text: await response.text() }
        },
        'fetch in chunks': async (body) => {
          const init = { method: 'POST', headers: JSON_TYPE, body: new Blob([body]).stream(), duplex: 'half' }
          const response = await fetch(events_url, init as RequestInit)
          return { status: response.status, text: await response.text() }
        },
        'node:http with a length': (body) => {
          const headers = { ...JSON_TYPE, 'content-length': String(body.length) }
          const { request, reply } = begin(events_url, 'POST', headers)
          request.end(body)
          return reply
        },
        'node:http in chunks': (body) => {
          const { request, reply } = begin(events_url, 'POST', JSON_TYPE)
          for (let at = 0; at < body.length; at += 65_536) request.write(body.subarray(at, at + 65_536))
          request.end()
          return reply
        },
      }
      for (const [way, sendBody] of Object.entries(ways)) {
        it(`takes exactly that much from ${way} and answers 413 to more`, async () => {
          const full = await sendBody(bodyOf(BODY_BYTES_MAX))
          assert.equal(full.status, 200, full.text)
          assert.equal((JSON.parse(full.text) as { accepted: number }).accepted, 1)
          const stored = await countOf('padded')
          for (const bytes of [BODY_BYTES_MAX + 1, BODY_BYTES_MAX + 1024 * 1024]) {
            const over = await sendBody(bodyOf(bytes))
            assert.equal(over.status, 413, over.text)
            assert.equal((JSON.parse(over.text) as { type: string }).type, '/problems/body_too_large')
          }
          assert.equal(await countOf('padded'), stored)
        })
      }
    })

    it('must say that it is JSON in UTF-8', async () => {
      const body = JSON.stringify([eventOf()])
      const refused = [
        'text/plain',
        'text/json',
        'application/x-www-form-urlencoded',
        'application/json-seq',
        'application/problem+json',
        'multipart/form-data; boundary=application/json',
        'application/json; charset=utf-16',
        'application/json; charset=iso-8859-1',
      ]
      for (const type of refused) {
        const response = await send(body, { 'content-type': type })
        const problem = (await response.json()) as Record<string, unknown>
        assert.equal(response.status, 415, type)
        assert.equal(problem['type'], '/problems/unsupported_media_type')
      }
      const none = begin(events_url, 'POST')
      none.request.end(body)
      assert.equal((await none.reply).status, 415)
      for (const type of [
        'application/json',
        'Application/JSON',
        'application/json;charset=utf-8',
        'application/json; charset="UTF-8"',
        'application/json; v=1',
      ]) {
        assert.equal((await send(body, { 'content-type': type })).status, 200, type)
      }
    })

    it('may begin with a byte order mark', async () => {
      const { status, json } = await post(events_url, `\uFEFF${JSON.stringify([eventOf()])}`)
      assert.equal(status, 200)
      assert.equal(json['accepted'], 1)
    })
  })

  describe('a field', () => {
    const refused: Record<string, unknown[]> = {
      event_id: [
        undefined,
        null,
        1,
        {},
        [],
        '',
        MARKER,
        '0189f7e6-8d2f-7abc-8def-0123456789a',
        '0189f7e6-8d2f-7abc-8def-0123456789abc',
        '0189f7e68d2f7abc8def0123456789ab',
        '{0189f7e6-8d2f-7abc-8def-0123456789ab}',
        'urn:uuid:0189f7e6-8d2f-7abc-8def-0123456789ab',
        '0189f7e6-8d2f-7abc-8def-0123456789ag',
        '0189f7e6-8d2f-7abc-8def-0123456789ab\n',
        ' 0189f7e6-8d2f-7abc-8def-0123456789a',
        '０189f7e6-8d2f-7abc-8def-0123456789ab',
      ],
      occurred_at: [
        undefined,
        null,
        1_755_758_354,
        {},
        '',
        MARKER,
        'now',
        '2025-02-29T00:00:00Z',
        '2025-13-01T00:00:00Z',
        '2025-00-10T00:00:00Z',
        '2025-01-00T00:00:00Z',
        '2025-01-01T24:00:00Z',
        '2025-01-01T12:60:00Z',
        '2025-01-01T12:00:60Z',
        '2025-01-01T12:00:00+24:00',
        '2025-01-01T12:00:00 Z',
        '2025-01-01T12',
        '25-01-01T12:00:00Z',
        '+002025-01-01T12:00:00Z',
        ' 2025-01-01T12:00:00Z',
        '2025-01-01T12:00:00Z\n',
        '1755758354',
        '1969-12-31T23:59:59.999999Z',
        '1970-01-01T00:59:59.999999+01:00',
        '0000-01-01T00:00:00Z',
        '9999-12-31T23:59:59Z',
        fromNow(24 * HOUR_MS + HOUR_MS),
      ],
      user_id: [
        undefined,
        null,
        '',
        true,
        {},
        [MARKER],
        1.5,
        2 ** 53,
        -(2 ** 53),
        1e300,
        'u'.repeat(257),
        astral.repeat(257),
        `a\0${MARKER}`,
        `\uD800${MARKER}`,
        `${MARKER}\uDC00`,
      ],
      event_type: [
        undefined,
        null,
        '',
        7,
        {},
        [MARKER],
        't'.repeat(201),
        astral.repeat(201),
        `a\0${MARKER}`,
        `\uD800${MARKER}`,
        `\uDC00\uD800${MARKER}`,
      ],
      properties: [
        null,
        MARKER,
        7,
        true,
        [],
        [{ [MARKER]: 1 }],
        propertiesOf(32 * 1024 + 1),
        { k: astral.repeat(8 * 1024) },
        deep(33),
        { d: Array.from({ length: 1 }, () => deep(32)) },
        { [`\uD800${MARKER}`]: 1 },
        { a: [{ b: `${MARKER}\uDFFF` }] },
      ],
    }
    for (const [field, values] of Object.entries(refused)) {
      it(`${field} that is wrong is named, and its valid neighbours are stored`, async () => {
        for (const value of values) {
          const bad = eventOf({ [field]: value })
          const { status, json } = await post(events_url, [eventOf(), bad, eventOf()])
          const shown = `${field} = ${String(JSON.stringify(value)).slice(0, 80)}`
          assert.equal(status, 200, shown)
          const { errors, ...counts } = json as { errors: Record<string, unknown>[] }
          assert.deepEqual(counts, { received: 3, accepted: 2, duplicates: 0, rejected: 1 }, shown)
          const [error] = errors
          assert.equal(errors.length, 1)
          assert.equal(error!['index'], 1)
          assert.equal(error!['path'], field, shown)
          assert.match(String(error!['message']), new RegExp(field))
          assert.equal(error!['event_id'], field === 'event_id' ? undefined : bad['event_id'])
        }
      })
    }

    it('properties must not hold a number beyond the range of a double', async () => {
      const body = JSON.stringify([eventOf({ properties: { n: 0 } })]).replace('"n":0', '"n":1e400')
      const { status, json } = await post(events_url, body)
      assert.equal(status, 422)
      assert.equal((json['errors'] as { path: string }[])[0]!.path, 'properties')
    })

    it('that an event does not have is refused, without its name', async () => {
      for (const name of [MARKER, 'Event_Id', 'timestamp', 'constructor', 'toString', '__proto__', '']) {
        const bad = JSON.stringify(eventOf()).replace('{', `{${JSON.stringify(name)}:1,`)
        const { status, json } = await post(events_url, `[${bad},${JSON.stringify(eventOf())}]`)
        assert.equal(status, 200, name)
        assert.equal(json['accepted'], 1, name)
        const [error] = json['errors'] as { index: number; path: string; message: string }[]
        assert.equal(error!.index, 0)
        assert.equal(error!.path, '')
        assert.match(error!.message, /unknown field/)
      }
    })

    it('cannot belong to something that is no object', async () => {
      const batch = [null, 1, 'text', true, [], [eventOf()], eventOf()]
      const { status, json } = await post(events_url, batch)
      assert.equal(status, 200)
      assert.equal(json['accepted'], 1)
      assert.deepEqual(
        (json['errors'] as { index: number }[]).map(({ index }) => index),
        [0, 1, 2, 3, 4, 5],
      )
    })

    it('is taken up to its very edge', async () => {
      const accepted: Record<string, unknown[]> = {
        event_id: [
          '00000000-0000-0000-0000-000000000000',
          'ffffffff-ffff-ffff-ffff-ffffffffffff',
          'A987FBC9-4BED-3078-CF07-9141BA07C9F3',
          '0189f7e6-8d2f-7abc-8def-0123456789ab',
        ],
        occurred_at: [
          '1970-01-01',
          '1970-01-01T00:00:00Z',
          '1970-01-01T01:00:00+01:00',
          '1969-12-31T23:00:00-01:00',
          '2024-02-29',
          '2025-08-21T06:52',
          '2025-08-21 06:52:34.123456',
          '2025-08-21t06:52:34,123456789z',
          '2025-08-21T06:52:34+0530',
          '2025-08-21T06:52:34-05',
          fromNow(24 * HOUR_MS - HOUR_MS),
        ],
        user_id: [
          'u',
          ' ',
          0,
          -1,
          2 ** 53 - 1,
          -(2 ** 53 - 1),
          'u'.repeat(256),
          astral.repeat(256),
          "Robert'); DROP TABLE events;--",
        ],
        event_type: ['t', 't'.repeat(200), astral.repeat(200), 'мова', 'a b/c~d'],
        properties: [
          undefined,
          {},
          propertiesOf(32 * 1024),
          { k: astral.repeat(8 * 1024 - 2) },
          deep(32),
          { '': 0, a: null, b: [1, [2]], constructor: 1, 'c\0': '\0' },
        ],
      }
      for (const [field, values] of Object.entries(accepted)) {
        for (const value of values) {
          const { status, json } = await post(events_url, [eventOf({ [field]: value })])
          const shown = `${field} = ${String(JSON.stringify(value)).slice(0, 80)}: ${JSON.stringify(json)}`
          assert.equal(status, 200, shown)
          assert.equal(json['accepted'], 1, shown)
        }
      }
    })
  })

  describe('identity', () => {
    it('counts an id that stands twice in one batch once', async () => {
      const [a, b] = [eventOf({ event_type: 'twice' }), eventOf({ event_type: 'twice' })]
      const { json } = await post(events_url, [a, b, a, { ...a, event_type: 'twice_other' }, b])
      assert.deepEqual(json, { received: 5, accepted: 2, duplicates: 3, rejected: 0, errors: [] })
      assert.equal(await countOf('twice'), 2)
      assert.equal(await countOf('twice_other'), 0)
    })

    it('keeps the first of two that differ, also across requests', async () => {
      const first = eventOf({ event_type: 'first', occurred_at: '2025-03-01T00:00:00Z' })
      await post(events_url, [first])
      const second = { ...first, event_type: 'second', occurred_at: '2025-03-02T00:00:00Z' }
      assert.equal((await post(events_url, [second])).json['duplicates'], 1)
      assert.deepEqual([await countOf('first'), await countOf('second')], [1, 0])
      assert.deepEqual([await usersOn('2025-03-01'), await usersOn('2025-03-02')], [1, 0])
    })

    it('takes an id in upper case for the same id', async () => {
      const event = eventOf({ event_type: 'upper' })
      const upper = { ...event, event_id: String(event['event_id']).toUpperCase() }
      assert.equal((await post(events_url, [upper, event])).json['duplicates'], 1)
      assert.equal((await post(events_url, [event])).json['duplicates'], 1)
      assert.equal(await countOf('upper'), 1)
      const bad = { ...upper, user_id: '' }
      const { json } = await post(events_url, [bad, event])
      assert.equal((json['errors'] as { event_id: string }[])[0]!.event_id, event['event_id'])
    })

    it('takes user 1 and user "1" for the same user', async () => {
      const occurred_at = '2025-04-01T00:00:00Z'
      const ids = [1, '1', 1.0, '01', '1.0', ' 1', -0, 0, '0']
      await post(
        events_url,
        ids.map((user_id) => eventOf({ user_id, occurred_at })),
      )
      assert.equal(await usersOn('2025-04-01'), 5) // 1, 01, 1.0, " 1", 0
      assert.equal(await usersOn('2025-04-01', '&segment=user_id:1'), 1)
    })

    it('stores each of many equal requests at once exactly once', async () => {
      const events = Array.from({ length: 50 }, () => eventOf({ event_type: 'raced' }))
      const replies = await Promise.all(Array.from({ length: 20 }, () => post(events_url, events)))
      const accepted = replies.map(({ json }) => Number(json['accepted']))
      assert.equal(
        accepted.reduce((n, m) => n + m, 0),
        50,
      )
      assert.equal(await countOf('raced'), 50)
    })
  })

  describe('the time', () => {
    it('decides the UTC day to the microsecond, whatever its offset', async () => {
      const times = {
        '2025-05-01': [
          '2025-05-01',
          '2025-05-01T00:00:00.000000Z',
          '2025-05-01T23:59:59.999999Z',
          '2025-05-01T23:59:59.999999999Z',
          '2025-05-02T02:59:59.999999+03:00',
          '2025-04-30T19:00:00-05:00',
          '2025-05-01T05:45:00+0545',
        ],
        '2025-05-02': ['2025-05-02T00:00:00Z', '2025-05-02T03:00:00+03:00', '2025-05-01T23:00:00-01'],
      }
      for (const [day, list] of Object.entries(times)) {
        const events = list.map((occurred_at, i) => eventOf({ occurred_at, user_id: `${day}-${i}` }))
        assert.equal((await post(events_url, events)).json['accepted'], list.length)
      }
      assert.equal(await usersOn('2025-05-01'), 7)
      assert.equal(await usersOn('2025-05-02'), 3)
      assert.equal(await usersOn('2025-04-30'), 0)
    })
  })

  describe('rejection', () => {
    it('lists at most 100 errors and says when there are more', async () => {
      const hundred = await post(events_url, [...badEvents(100), eventOf()])
      assert.equal(hundred.json['rejected'], 100)
      assert.equal((hundred.json['errors'] as unknown[]).length, 100)
      assert.equal('errors_truncated' in hundred.json, false)
      const more = await post(events_url, [eventOf(), ...badEvents(101)])
      assert.equal(more.status, 200)
      assert.equal(more.json['accepted'], 1)
      assert.equal(more.json['rejected'], 101)
      assert.equal((more.json['errors'] as unknown[]).length, 100)
      assert.equal(more.json['errors_truncated'], true)
      const all = await post(events_url, badEvents(101))
      assert.equal(all.status, 422)
      assert.equal((all.json['errors'] as unknown[]).length, 100)
      assert.equal(all.json['errors_truncated'], true)
    })

    it('of every event is answered with 422', async () => {
      const { status, headers, json } = await post(events_url, [eventOf({ event_type: '' }), 1])
      assert.equal(status, 422)
      assert.equal(headers.get('content-type'), 'application/problem+json')
      assert.equal(json['type'], '/problems/invalid_events')
      assert.equal(json['status'], 422)
      assert.deepEqual(
        [json['received'], json['accepted'], json['duplicates'], json['rejected']],
        [2, 0, 0, 2],
      )
      assert.deepEqual(
        (json['errors'] as { index: number; path: string }[]).map(({ index, path }) => [index, path]),
        [
          [0, 'event_type'],
          [1, ''],
        ],
      )
    })

    it('refuses a misspelt or repeated strict instead of storing what was to be refused', async () => {
      for (const query of [
        '?stric=true',
        '?strict=true&strict=true',
        '?strict=yes',
        '?strict=',
        '?strict=true&x=1',
      ]) {
        const reply = await post(events_url + query, [eventOf({ event_type: 'misspelt' })])
        assert.equal(reply.status, 400, query)
        assert.equal(reply.json['type'], '/problems/invalid_parameter')
      }
      assert.equal(await countOf('misspelt'), 0)
    })

    it('of one event stores nothing when the client is strict', async () => {
      const batch = [eventOf({ event_type: 'strict' }), eventOf({ event_type: 'strict', user_id: '' })]
      const strict = await post(`${events_url}?strict=true`, batch)
      assert.equal(strict.status, 422)
      assert.equal(strict.json['type'], '/problems/invalid_events')
      assert.equal(strict.json['accepted'], 0)
      assert.equal((strict.json['errors'] as { index: number }[])[0]!.index, 1)
      assert.equal(await countOf('strict'), 0)
      const lenient = await post(`${events_url}?strict=false`, batch)
      assert.equal(lenient.status, 200)
      assert.equal(await countOf('strict'), 1)
      const repaired = [batch[0], eventOf({ event_type: 'strict' })]
      const again = await post(`${events_url}?strict=true`, repaired)
      assert.deepEqual([again.json['accepted'], again.json['duplicates']], [1, 1])
    })

    it('meets a strict that is neither true nor false', async () => {
      for (const value of ['1', 'yes', 'TRUE', '', MARKER]) {
        const { status, json } = await post(`${events_url}?strict=${value}`, [eventOf()])
        assert.equal(status, 400, value)
        assert.equal(json['type'], '/problems/invalid_parameter')
        assert.equal((json['errors'] as { path: string }[])[0]!.path, 'strict')
      }
    })
  })

  it('never repeats what the client sent, neither in a reply nor in the log', async () => {
    const bad = [
      MARKER,
      [MARKER],
      { [MARKER]: MARKER },
      eventOf({ event_id: MARKER }),
      eventOf({ event_id: { [MARKER]: 1 } }),
      eventOf({ occurred_at: MARKER }),
      eventOf({ occurred_at: `2025-01-01T00:00:00Z${MARKER}` }),
      eventOf({ user_id: MARKER.repeat(99) }),
      eventOf({ user_id: [MARKER] }),
      eventOf({ event_type: MARKER.repeat(99) }),
      eventOf({ event_type: { [MARKER]: MARKER } }),
      eventOf({ properties: MARKER }),
      eventOf({ properties: { [MARKER]: MARKER.repeat(9_999) } }),
      eventOf({ properties: { [`${MARKER}\uD800`]: MARKER } }),
      eventOf({ [MARKER]: MARKER }),
    ]
    const good = eventOf({ user_id: MARKER, event_type: MARKER, properties: { [MARKER]: MARKER } })
    const bodies = [
      MARKER,
      `"${MARKER}"`,
      `{"${MARKER}":1}`,
      `[{"${MARKER}":]`,
      `[${MARKER}]`,
      JSON.stringify(bad),
      JSON.stringify([good]),
      JSON.stringify([good, ...bad]),
    ]
    const replies: Response[] = []
    for (const body of bodies) {
      for (const query of ['', '?strict=true', `?strict=${MARKER}`, `?${MARKER}=1`]) {
        replies.push(await fetch(events_url + query, { method: 'POST', headers: JSON_TYPE, body }))
      }
      replies.push(await send(body, { 'content-type': `text/${MARKER}` }))
      replies.push(await send(body, { ...JSON_TYPE, 'content-encoding': MARKER }))
      replies.push(
        await send(body, {
          ...JSON_TYPE,
          'x-request-id': MARKER,
          authorization: MARKER,
          'x-api-key': MARKER,
        }),
      )
    }
    const questions = [
      `/${MARKER}`,
      `/events/${MARKER}?${MARKER}=${MARKER}`,
      `/stats/${MARKER}`,
      `/stats/dau?from=${MARKER}&to=${MARKER}`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&${MARKER}=1`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&segment=${MARKER}`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&segment=${MARKER}:1`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&properties.${MARKER}=`,
      `/stats/dau?from=2025-01-01&to=2025-01-02&properties.${MARKER}=${MARKER}`,
      `/stats/top-events?from=2025-01-01&to=2025-01-02&limit=${MARKER}`,
      `/stats/retention?start_date=${MARKER}&windows=${MARKER}&window=${MARKER}`,
    ]
    for (const question of questions) replies.push(await fetch(service.url + question))
    replies.push(await fetch(`${service.url}/livez?${MARKER}`, { method: 'DELETE' }))
    for (const reply of replies) {
      assert.ok(!(await reply.text()).includes(MARKER), `${reply.status} ${reply.url}`)
      assert.ok(!JSON.stringify([...reply.headers]).includes(MARKER), `${reply.status} ${reply.url}`)
    }
    const last = replies.at(-1)!.headers.get('x-request-id')
    await untilLogged(service, (line) => line['request_id'] === last)
    assert.ok(!service.log.some((line) => line.includes(MARKER)))
    assert.ok(!service.log.some((line) => line.includes('request failed')))
  })
})
