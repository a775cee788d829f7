import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { PROPERTIES_BYTES_MAX } from '../../src/event/event.ts'
import { createJudge } from '../../src/event/judge.ts'
import { parseExactJson } from '../../src/event/json.ts'
import { formatInstant, nowMicros } from '../../src/event/time.ts'
import { judgeVendorEvent } from '../../src/vendors/vendor.ts'
import { VENDORS } from '../../src/vendors/vendors.ts'
import type { VendorName } from '../../src/vendors/vendors.ts'
import { idFor } from '../support/sample.ts'

const decide = createJudge(nowMicros)

function judge(name: VendorName, row: unknown) {
  const text = typeof row === 'string' ? row : JSON.stringify(row)
  const verdict = judgeVendorEvent(decide, VENDORS[name], parseExactJson(text), text)
  if ('error' in verdict) return verdict.error.message
  const { occurred_at_us, properties, ...rest } = verdict.event
  return {
    ...rest,
    occurred_at: formatInstant(occurred_at_us),
    properties: JSON.parse(properties) as Record<string, unknown>,
  }
}

function event(name: VendorName, row: unknown) {
  const judged = judge(name, row)
  assert.ok(typeof judged === 'object', `${String(judged)}: ${JSON.stringify(row)}`)
  return judged
}

/** The UUIDv5 that a vendor's id becomes, made here a second time. */
function uuidOf(...parts: readonly string[]): string {
  const namespace = Buffer.from('6d0b4f2ec1d3475c9a51b0f7e3d2864a', 'hex')
  const hash = createHash('sha1')
    .update(namespace)
    .update(['', ...parts].join('\x1f'))
    .digest('hex')
  const variant = ((Number.parseInt(hash[16]!, 16) & 3) | 8).toString(16)
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-5${hash.slice(13, 16)}-${variant}${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

describe('PostHog', () => {
  const ROW = {
    uuid: '01890A5D-AC96-774B-BCCE-B302099A8057',
    event: '$pageview',
    distinct_id: 'user-1',
    person_id: 'cb2c9f4b-0000-4000-8000-000000000001',
    properties: { $current_url: 'https://example.com/a', distinct_id: 'user-1', token: 'phc_secret', n: 1 },
    person_properties: '{"email": "a@example.com"}',
    elements_chain: '',
    timestamp: '2023-07-01T10:00:00.123456+00:00',
    created_at: '2023-07-01T10:00:01.000000+00:00',
    _inserted_at: '2023-07-01T10:00:02.000000+00:00',
  }

  it('takes a row of a batch export', () => {
    assert.deepEqual(event('posthog', ROW), {
      event_id: '01890a5d-ac96-774b-bcce-b302099a8057',
      user_id: 'user-1',
      event_type: '$pageview',
      occurred_at: '2023-07-01T10:00:00.123456Z',
      properties: {
        $current_url: 'https://example.com/a',
        n: 1,
        $context: {
          person_id: ROW.person_id,
          person_properties: { email: 'a@example.com' },
          created_at: ROW.created_at,
          _inserted_at: '2023-07-01T10:00:02.000000+00:00',
        },
      },
    })
  })

  it('takes properties that are JSON within a string, and times as ClickHouse writes them', () => {
    const packed = {
      ...ROW,
      properties: JSON.stringify(ROW.properties),
      timestamp: '2023-07-01 10:00:00.123456',
    }
    assert.deepEqual(event('posthog', packed), event('posthog', ROW))
    assert.match(String(judge('posthog', { ...ROW, properties: '{' })), /^properties must be an object/)
  })

  it('takes an event as the API lists it, and as a browser sends it', () => {
    const listed = event('posthog', {
      id: idFor('listed'),
      distinct_id: 42,
      properties: {},
      event: 'Paid',
      timestamp: '2023-07-01T10:00:00Z',
      person: null,
      elements: [],
    })
    assert.deepEqual([listed.event_id, listed.user_id, listed.properties], [idFor('listed'), '42', {}])
    const sent = event('posthog', {
      uuid: idFor('sent'),
      event: '$identify',
      properties: { token: 'phc', distinct_id: 'user-2', $anon_distinct_id: 'anon' },
      $set: { plan: 'pro' },
      $set_once: { first: 1 },
      timestamp: '2023-07-01T10:00:00Z',
    })
    assert.equal(sent.user_id, 'user-2')
    assert.deepEqual(sent.properties, {
      $set: { plan: 'pro' },
      $set_once: { first: 1 },
      $anon_distinct_id: 'anon',
    })
  })
})

describe('Mixpanel', () => {
  const PROPERTIES = {
    time: 1672628645,
    distinct_id: 'user-1',
    $insert_id: 'hpuDqcvpltpCjBsebtxwadtEBDnAdycabFCb',
    $browser: 'Chrome',
    token: 'secret',
    mp_processing_time_ms: 1672628646000,
  }
  const of = (more: object) => event('mixpanel', { event: 'Sign up', properties: { ...PROPERTIES, ...more } })

  it('takes a line of the raw export', () => {
    assert.deepEqual(of({}), {
      event_id: uuidOf('mixpanel', 'Sign up', 'user-1', PROPERTIES.$insert_id),
      user_id: 'user-1',
      event_type: 'Sign up',
      occurred_at: '2023-01-02T03:04:05.000000Z',
      properties: { $browser: 'Chrome', mp_processing_time_ms: 1672628646000 },
    })
  })

  it('takes times in seconds, with a fraction, and in milliseconds', () => {
    assert.equal(of({ time: 1672628645.678 }).occurred_at, '2023-01-02T03:04:05.678000Z')
    assert.equal(of({ time: 1672628645678 }).occurred_at, '2023-01-02T03:04:05.678000Z')
    assert.equal(of({ time: 99_999_999 }).occurred_at, '1973-03-03T09:46:39.000000Z')
    assert.equal(of({ time: 100_000_000_000 }).occurred_at, '1973-03-03T09:46:40.000000Z')
    const exact = event('mixpanel', '{"event":"e","properties":{"time":1672628645.0,"distinct_id":"u"}}')
    assert.equal(exact.occurred_at, '2023-01-02T03:04:05.000000Z')
  })

  it('keeps a UUID as the id, and the id of an event whose user was merged since', () => {
    assert.equal(of({ $insert_id: idFor('a').toUpperCase() }).event_id, idFor('a'))
    const merged = of({ distinct_id: 'merged', $distinct_id_before_identity: 'user-1' })
    assert.deepEqual([merged.event_id, merged.user_id], [of({}).event_id, 'merged'])
  })

  it('falls back to the device where no user is named', () => {
    assert.equal(of({ distinct_id: '', $device_id: 'device' }).user_id, 'device')
    assert.equal(judge('mixpanel', { event: 'e', properties: { time: 1 } }), 'user_id is missing')
  })
})

describe('Amplitude', () => {
  const ROW = {
    $insert_id: 'insert-1',
    uuid: idFor('uuid'),
    event_time: '2023-01-02 03:04:05.678000',
    server_upload_time: '2023-01-02 03:04:07.000000',
    user_id: 'user-1',
    device_id: 'device-1',
    amplitude_id: 100000000001,
    event_type: 'Order Paid',
    event_properties: { price: 12.5 },
    user_properties: { plan: 'pro' },
    group_properties: {},
    city: null,
    country: 'Poland',
    api_key: 'secret',
  }

  it('takes a line of the export', () => {
    assert.deepEqual(event('amplitude', ROW), {
      event_id: uuidOf('amplitude', 'device-1', 'insert-1'),
      user_id: 'user-1',
      event_type: 'Order Paid',
      occurred_at: '2023-01-02T03:04:05.678000Z',
      properties: {
        $device_id: 'device-1',
        price: 12.5,
        $context: {
          server_upload_time: ROW.server_upload_time,
          amplitude_id: 100000000001,
          user_properties: { plan: 'pro' },
          country: 'Poland',
        },
      },
    })
  })

  it('takes the server’s uuid where the client sent no id, and the device where no user is named', () => {
    const row = { ...ROW, $insert_id: null, user_id: null }
    assert.equal(event('amplitude', row).event_id, ROW.uuid)
    assert.equal(event('amplitude', row).user_id, 'device-1')
  })

  it('takes an event as its SDKs send it, with the id that the export gives it', () => {
    const sent = event('amplitude', {
      insert_id: 'insert-1',
      time: 1672628645678,
      user_id: 'user-1',
      device_id: 'device-1',
      event_type: 'Order Paid',
    })
    const exported = event('amplitude', ROW)
    assert.deepEqual([sent.event_id, sent.occurred_at], [exported.event_id, exported.occurred_at])
  })
})

describe('every vendor', () => {
  const bare = {
    posthog: { event: 'e', distinct_id: 'u', timestamp: '2023-01-02', properties: { a: 1 } },
    mixpanel: { event: 'e', properties: { time: 1672628645, distinct_id: 'u', a: 1 } },
    amplitude: { event_type: 'e', user_id: 'u', event_time: '2023-01-02', event_properties: { a: 1 } },
  } as const satisfies Record<VendorName, object>

  for (const [name, row] of Object.entries(bare) as [VendorName, Record<string, unknown>][]) {
    const where = name === 'amplitude' ? 'event_properties' : 'properties'
    const own = row[where] as object

    it(`${name}: gives an event without an id one that its text decides`, () => {
      const text = JSON.stringify(row)
      assert.equal(event(name, row).event_id, uuidOf(name, 'content', text))
      assert.notEqual(event(name, { ...row, more: 1 }).event_id, event(name, row).event_id)
    })

    it(`${name}: rejects what is no event, and never throws`, () => {
      assert.equal(judge(name, '1'), 'an event must be an object')
      for (const value of [null, 1, true, 'text', [], [1], { a: [] }, 1e300]) {
        judge(name, JSON.stringify(value))
        for (const field of [...Object.keys(row), '$set', 'uuid', 'time', 'device_id', 'insert_id']) {
          judge(name, { ...row, [field]: value })
          judge(name, { ...row, [where]: { ...own, [field]: value, $insert_id: value } })
        }
      }
    })

    it(`${name}: cuts a name that is too long, and keeps it whole as a property`, () => {
      const long = '😀'.repeat(201)
      const cut = event(name, { ...row, event: long, event_type: long })
      assert.equal(cut.event_type, '😀'.repeat(200))
      assert.equal(cut.properties['$event_name'], long)
    })

    it(`${name}: leaves the context out before it rejects properties as too large`, () => {
      const context = { context: 'x'.repeat(PROPERTIES_BYTES_MAX) }
      assert.deepEqual(event(name, { ...row, ...context }).properties, { a: 1 })
      assert.match(
        String(judge(name, { ...row, [where]: { ...own, ...context }, beside: 1 })),
        /^properties must be at most/,
      )
    })

    it(`${name}: keeps the digits of numbers and a key named __proto__`, () => {
      const text = JSON.stringify(row).replace('"a":1', '"a":9007199254740993,"__proto__":2')
      const verdict = judgeVendorEvent(decide, VENDORS[name], parseExactJson(text), text)
      assert.ok('event' in verdict)
      assert.equal(verdict.event.properties, '{"a":9007199254740993,"__proto__":2}')
    })
  }
})
