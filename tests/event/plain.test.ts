import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { AHEAD_OF_NOW_MAX_US, createEventSchema, judgeEvent } from '../../src/event/event.ts'
import { ExactNumber } from '../../src/event/json.ts'
import { plainEvent } from '../../src/event/plain.ts'
import { parseInstant } from '../../src/event/time.ts'
import { howMany } from '../support/counts.ts'
import { eventOf } from '../support/wire.ts'

const NOW_US = parseInstant('2025-08-21T06:52:34.123456Z')!
const schema = createEventSchema(() => NOW_US)

/** Texts at which a field turns from valid to invalid, or from plain to not. */
const TEXTS = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\0',
    'a\0',
    'NULL',
    'null',
    '\\N',
    'nulls',
    '\uD800',
    '🦓',
    'Ж',
    '\u2003',
    ' a',
    '1',
    '-0',
  ),
  fc.integer({ min: 198, max: 258 }).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 99, max: 130 }).map((length) => '🦓'.repeat(length)),
  fc.string({ unit: 'binary', maxLength: 6 }),
)
const FIELDS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  event_id: fc.oneof(
    fc.uuid(),
    fc.uuid().map((id) => id.toUpperCase()),
    fc.uuid().map((id) => id.replaceAll('-', '')),
    fc.uuid().map((id) => `${id} `),
  ),
  occurred_at: fc.oneof(
    fc
      .integer({ min: -2, max: 2 })
      .map((us) => new Date((NOW_US + AHEAD_OF_NOW_MAX_US) / 1_000 + us).toISOString()),
    fc.constantFrom(
      '1970-01-01',
      '1969-12-31T23:59:59.999999Z',
      '2025-02-29',
      '2025-08-21T24:00:00Z',
      '10/06/2024',
    ),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  ),
  user_id: TEXTS,
  event_type: TEXTS,
  properties: fc.oneof(
    fc.object({ values: [fc.jsonValue(), fc.double(), fc.string({ unit: 'binary' })], maxDepth: 3 }),
    fc.integer({ min: 30, max: 34 }).map((depth) => {
      let nested: unknown = 1
      for (let level = 0; level < depth; level += 1) nested = { nested }
      return nested
    }),
    fc.integer({ min: 32_755, max: 32_765 }).map((length) => ({ text: 'x'.repeat(length) })),
    fc.constant({ exact: new ExactNumber('1.10'), big: 2n ** 70n, __proto__: null }),
  ),
}
/** In the place of any field. */
const ANYTHING = fc.oneof(
  fc.anything({ withBigInt: true, withNullPrototype: true }),
  fc.constantFrom(undefined, null, 0, -0, 1.5, 2 ** 53, NaN, [], {}, new ExactNumber('1e3'), 'constructor'),
)

const names = Object.keys(FIELDS)

/** A valid event of which some fields are others, one may be anything or missing, and one may be too many. */
const events = fc
  .record({
    others: fc.record(FIELDS),
    changed: fc.subarray(names, { maxLength: 2 }),
    rest: fc.oneof(
      { weight: 6, arbitrary: fc.constant({}) },
      { weight: 2, arbitrary: fc.dictionary(fc.constantFrom(...names), ANYTHING, { maxKeys: 1 }) },
      fc.dictionary(fc.constantFrom('a', 'constructor', 'toString', '__proto__'), ANYTHING, { maxKeys: 1 }),
    ),
    missing: fc.oneof({ weight: 9, arbitrary: fc.constant('') }, fc.constantFrom(...names)),
  })
  .map(({ others, changed, rest, missing }) => {
    const kept = Object.entries(others).filter(([name]) => changed.includes(name))
    const event = Object.entries({ ...eventOf(), ...Object.fromEntries(kept), ...rest })
    return Object.fromEntries(event.filter(([name]) => name !== missing))
  })

describe('an event that is judged without the schema', () => {
  it('is what the schema would make of it, whatever is sent', () => {
    let plain = 0
    fc.assert(
      fc.property(fc.oneof({ weight: 20, arbitrary: events }, ANYTHING), (value) => {
        const event = plainEvent(value, NOW_US)
        if (event === null) return
        plain += 1
        assert.deepEqual({ event }, judgeEvent(schema, value))
      }),
      { numRuns: howMany('values_judged_twice') },
    )
    assert.ok(plain > howMany('values_judged_twice') / 20, `${plain} events were judged without the schema`)
  })

  it('is every event in its usual form', () => {
    for (const fields of [
      {},
      { user_id: 'Ольга', event_type: 'Page Viewed', properties: { a: [1, { b: null }], c: 'ї', d: '🦓' } },
      { event_id: '0189F7E6-8D2F-7ABC-8DEF-0123456789AB', occurred_at: '2025-08-21T09:52:34.123456+03:00' },
    ]) {
      const value = eventOf(fields)
      assert.deepEqual({ event: plainEvent(value, NOW_US) }, judgeEvent(schema, value))
    }
  })
})
