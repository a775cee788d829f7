import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  AHEAD_OF_NOW_MAX_US,
  EVENT_FIELDS,
  EVENT_TYPE_CHARS_MAX,
  PROPERTIES_BYTES_MAX,
  PROPERTIES_DEPTH_MAX,
  USER_ID_CHARS_MAX,
} from '../../src/event/event.ts'
import type { Event } from '../../src/event/event.ts'
import { formatEventId, ID_BYTES, IdDigest, isEventId, writeEventId } from '../../src/event/id.ts'
import { createJudge } from '../../src/event/judge.ts'
import { parseInstant } from '../../src/event/time.ts'
import { eventOf } from '../support/wire.ts'
import type { FieldError } from '../../src/problem/problem.ts'

const NOW_US = parseInstant('2025-08-21T06:52:34.123456Z')!
const decide = createJudge(() => NOW_US)

function judge(fields: Record<string, unknown>): { event?: Event; error?: FieldError } {
  return decide(JSON.parse(JSON.stringify(eventOf(fields))))
}

const isoOf = (at_us: number) =>
  `${new Date(Math.floor(at_us / 1_000)).toISOString().slice(0, 23)}${String(at_us % 1_000).padStart(3, '0')}Z`

describe('an event', () => {
  it('has a stored form: id in lower case, time in microseconds, user as text, properties as JSON', () => {
    const verdict = judge({
      event_id: '0189F7E6-8D2F-7ABC-8DEF-0123456789AB',
      occurred_at: '2025-08-21T09:52:34.123456+03:00',
      user_id: 42,
      event_type: 'purchase',
      properties: { a: [1, { b: null }] },
    })
    assert.deepEqual(verdict.event, {
      event_id: '0189f7e6-8d2f-7abc-8def-0123456789ab',
      occurred_at_us: NOW_US,
      user_id: '42',
      event_type: 'purchase',
      properties: '{"a":[1,{"b":null}]}',
    })
  })

  it('has no properties unless some are sent', () => {
    assert.equal(judge({}).event?.properties, '{}')
  })

  it('may happen exactly 24 hours from now, and not one microsecond later', () => {
    const edge = NOW_US + AHEAD_OF_NOW_MAX_US
    assert.equal(judge({ occurred_at: isoOf(edge) }).event?.occurred_at_us, edge)
    assert.equal(judge({ occurred_at: isoOf(edge + 1) }).error?.path, 'occurred_at')
  })

  it('may happen in the first microsecond of 1970, and not one earlier', () => {
    assert.equal(judge({ occurred_at: '1970-01-01T00:00:00.000000Z' }).event?.occurred_at_us, 0)
    assert.equal(judge({ occurred_at: '1969-12-31T23:59:59.999999Z' }).error?.path, 'occurred_at')
  })

  it('asks the clock for every event anew', () => {
    let now_us = 0
    const moving = createJudge(() => now_us)
    const value = eventOf({ occurred_at: '2000-01-01' })
    assert.ok('error' in moving(value))
    now_us = parseInstant('2000-01-01')!
    assert.ok('event' in moving(value))
  })

  it('counts the length of its texts in characters, not in units of UTF-16', () => {
    const limits = { user_id: USER_ID_CHARS_MAX, event_type: EVENT_TYPE_CHARS_MAX }
    for (const [field, chars_max] of Object.entries(limits)) {
      for (const char of ['x', 'ї', '字', '🦓']) {
        assert.ok(judge({ [field]: char.repeat(chars_max) }).event, `${chars_max} ${char}`)
        assert.equal(judge({ [field]: char.repeat(chars_max + 1) }).error?.path, field)
      }
      assert.ok(judge({ [field]: 'x'.repeat(chars_max - 1) + '🦓' }).event)
      assert.equal(judge({ [field]: 'x'.repeat(chars_max) + '🦓' }).error?.path, field)
    }
  })

  it('counts the size of its properties in bytes of compact JSON', () => {
    const empty = '{"k":""}'.length
    for (const [char, bytes] of [
      ['x', 1],
      ['ї', 2],
      ['字', 3],
      ['🦓', 4],
      ['"', 2],
      ['\u0001', 6],
    ] as const) {
      const count = Math.floor((PROPERTIES_BYTES_MAX - empty) / bytes)
      const pad = 'x'.repeat(PROPERTIES_BYTES_MAX - empty - count * bytes)
      const full = judge({ properties: { k: char.repeat(count) + pad } })
      assert.equal(Buffer.byteLength(full.event!.properties), PROPERTIES_BYTES_MAX, char)
      assert.equal(judge({ properties: { k: `${char.repeat(count)}${pad}x` } }).error?.path, 'properties')
    }
  })

  it('counts the depth of its properties over objects and arrays alike', () => {
    const nested = (levels: number, wrap: (inner: unknown) => unknown): unknown =>
      levels === 1 ? {} : wrap(nested(levels - 1, wrap))
    for (const wrap of [(inner: unknown) => ({ d: inner }), (inner: unknown) => [inner]]) {
      const inside = nested(PROPERTIES_DEPTH_MAX - 1, wrap)
      assert.ok(judge({ properties: { d: inside } }).event)
      assert.equal(judge({ properties: { d: wrap(inside) } }).error?.path, 'properties')
    }
    const bottomless = JSON.parse('{"d":'.repeat(50_000) + '1' + '}'.repeat(50_000)) as unknown
    const verdict = decide(eventOf({ properties: bottomless }))
    assert.ok('error' in verdict && verdict.error.path === 'properties')
  })

  it('keeps its properties as they were sent', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ unit: 'grapheme' }),
          fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }),
          {
            maxKeys: 6,
          },
        ),
        (properties) => {
          const sent = JSON.stringify(properties)
          const { event } = judge({ properties: JSON.parse(sent) as unknown })
          assert.equal(event?.properties, sent)
        },
      ),
      { numRuns: 500 },
    )
    for (const key of ['__proto__', 'constructor', 'hasOwnProperty', '']) {
      const sent = `{${JSON.stringify(key)}:{"a":1}}`
      const value: unknown = JSON.parse(sent)
      assert.equal(judge({ properties: value }).event?.properties, sent)
    }
  })

  it('takes a whole number for a user as the text of that number', () => {
    for (const user_id of [0, 1, -1, 2 ** 53 - 1, -(2 ** 53 - 1)]) {
      assert.equal(judge({ user_id }).event?.user_id, String(user_id))
    }
    for (const user_id of [0.5, 2 ** 53, -(2 ** 53), 1e21, true, null, [], {}]) {
      assert.equal(judge({ user_id }).error?.path, 'user_id')
    }
    const zero = decide(eventOf({ user_id: -0 }))
    assert.equal('event' in zero && zero.event.user_id, '0')
  })

  it('names its first fault only, by field, and never by value', () => {
    const marker = 'Zebra-7f3a91'
    for (const field of EVENT_FIELDS) {
      for (const value of [marker, [marker], { [marker]: marker }, `${marker}\0`, `${marker}\uD800`]) {
        const verdict = decide(eventOf({ [field]: value }))
        if ('error' in verdict) {
          assert.equal(verdict.error.path, field)
          assert.ok(!verdict.error.message.includes(marker))
          assert.ok(verdict.error.message.includes(field))
        }
      }
      const missing = judge({ [field]: undefined })
      if (field === 'properties') assert.ok(missing.event)
      else assert.deepEqual(missing.error, { path: field, message: `${field} is missing` })
    }
    const unknown = judge({ [marker]: 1 })
    assert.equal(unknown.error?.path, '')
    assert.ok(!unknown.error?.message.includes(marker))
  })

  it('is judged whatever is sent in its place', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
        assert.ok('error' in decide(value))
      }),
    )
    const field = fc.constantFrom(...EVENT_FIELDS)
    fc.assert(
      fc.property(field, fc.jsonValue(), (name, value) => {
        const verdict = judge({ [name]: value })
        assert.ok(verdict.event !== undefined || verdict.error!.path === name)
      }),
      { numRuns: 1_000 },
    )
  })
})

function digestOf(ids: readonly string[]): IdDigest {
  const digest = new IdDigest()
  const bytes = Buffer.alloc(ID_BYTES)
  for (const id of ids) {
    writeEventId(id, bytes, 0)
    digest.addBytes(bytes)
  }
  return digest
}

describe('an event id', () => {
  it('is any UUID in its usual form, whatever its version', () => {
    for (const digit of '0123456789abcdefABCDEF') {
      assert.ok(isEventId(`0189f7e6-8d2f-${digit}abc-${digit}def-0123456789ab`), digit)
    }
    for (const text of [
      '',
      '0189f7e68d2f7abc8def0123456789ab',
      '{0189f7e6-8d2f-7abc-8def-0123456789ab}',
      '0189f7e6-8d2f-7abc-8def-0123456789ab\n',
      '0189f7e6-8d2f-7abc-8def-0123456789a\n',
      '0189f7e6-8d2f-7abc-8def0-123456789ab',
      'g189f7e6-8d2f-7abc-8def-0123456789ab',
    ]) {
      assert.ok(!isEventId(text), JSON.stringify(text))
    }
  })

  it('comes back from its 16 bytes in lower case', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.boolean(), (id, upper) => {
        const bytes = Buffer.alloc(ID_BYTES + 3, 0xee)
        writeEventId(upper ? id.toUpperCase() : id, bytes, 2)
        assert.equal(formatEventId(bytes, 2), id.toLowerCase())
        assert.deepEqual([bytes[0], bytes[1], bytes.at(-1)], [0xee, 0xee, 0xee])
      }),
    )
  })

  it('adds to a digest that knows no order, but does know how often', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2 }), (ids) => {
        const whole = digestOf(ids)
        assert.equal(whole.count, ids.length)
        assert.match(whole.toString(), /^[0-9a-f]{16}$/)
        assert.equal(digestOf(ids.toReversed()).toString(), whole.toString())
        assert.notEqual(digestOf([...ids, ids[0]!]).toString(), whole.toString())
        assert.notEqual(digestOf(ids.slice(1)).toString(), whole.toString())
        const parts = digestOf(ids.slice(0, 1))
        parts.addDigest(digestOf(ids.slice(1)).toString(), ids.length - 1)
        assert.equal(parts.toString(), whole.toString())
        assert.equal(parts.count, whole.count)
      }),
    )
  })
})
