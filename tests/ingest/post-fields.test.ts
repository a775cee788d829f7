import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { MARKER, servePosting } from '../support/posting.ts'
import { post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

/** One character, two UTF-16 units, four bytes. */
const astral = '🦓'
const propertiesOf = (bytes: number) => ({ k: 'x'.repeat(bytes - '{"k":""}'.length) })
const deep = (levels: number): unknown => (levels === 0 ? 1 : { d: deep(levels - 1) })
const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString()
const HOUR_MS = 3_600_000

// What never happens is waited for in vain; better to fail than to hang.
describe('a field of an event', { timeout: HANGS_AFTER_MS }, () => {
  const home = servePosting()

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
      '2025-01-01T24:00:01Z',
      '2025-01-01T12:60:00Z',
      '2025-01-01T12:00:60Z',
      '2025-01-01T12:00:00+24:00',
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
        const { status, json } = await post(home.events_url, [eventOf(), bad, eventOf()])
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
    const { status, json } = await post(home.events_url, body)
    assert.equal(status, 422)
    assert.equal((json['errors'] as { path: string }[])[0]!.path, 'properties')
  })

  it('that an event does not have is refused, without its name', async () => {
    for (const name of [MARKER, 'Event_Id', 'timestamp', 'constructor', 'toString', '__proto__', '']) {
      const bad = JSON.stringify(eventOf()).replace('{', `{${JSON.stringify(name)}:1,`)
      const { status, json } = await post(home.events_url, `[${bad},${JSON.stringify(eventOf())}]`)
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
    const { status, json } = await post(home.events_url, batch)
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
        ' x',
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
        const { status, json } = await post(home.events_url, [eventOf({ [field]: value })])
        const shown = `${field} = ${String(JSON.stringify(value)).slice(0, 80)}: ${JSON.stringify(json)}`
        assert.equal(status, 200, shown)
        assert.equal(json['accepted'], 1, shown)
      }
    }
  })
})
