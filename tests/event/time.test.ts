import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  dayOf,
  formatDay,
  formatInstant,
  MICROS_PER_DAY,
  nowMicros,
  parseDay,
  parseInstant,
} from '../../src/event/time.ts'

const two = (n: number) => String(n).padStart(2, '0')

describe('parseInstant', () => {
  it('reads what Date reads, and the microseconds that Date cannot', () => {
    const time = fc.record({
      ms: fc.integer({ min: 0, max: Date.UTC(2255, 0, 1) }),
      micros: fc.integer({ min: 0, max: 999 }),
      offset_minutes: fc.integer({ min: -(23 * 60 + 59), max: 23 * 60 + 59 }),
    })
    fc.assert(
      fc.property(time, ({ ms, micros, offset_minutes }) => {
        const local = new Date(ms + offset_minutes * 60_000).toISOString().slice(0, 23)
        const ahead = Math.abs(offset_minutes)
        const offset = `${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`
        const text = `${local}${String(micros).padStart(3, '0')}${offset_minutes < 0 ? '-' : '+'}${offset}`
        assert.equal(parseInstant(text), ms * 1_000 + micros)
      }),
      { numRuns: 2_000 },
    )
  })

  it('reads every form of ISO 8601 that names an instant', () => {
    const noon = Date.UTC(2025, 7, 21, 12) * 1_000
    const forms: [text: string, at_us: number][] = [
      ['2025-08-21', noon - MICROS_PER_DAY / 2],
      ['2025-08-21T12:00', noon],
      ['2025-08-21T12:00Z', noon],
      ['2025-08-21 12:00:00', noon],
      ['2025-08-21t12:00:00z', noon],
      ['2025-08-21T12:00:00.1', noon + 100_000],
      ['2025-08-21T12:00:00,000001Z', noon + 1],
      ['2025-08-21T12:00:00.000000999Z', noon],
      ['2025-08-21T12:00:00.123456789Z', noon + 123_456],
      ['2025-08-21T15:00+03', noon],
      ['2025-08-21T06:30-05:30', noon],
      ['2025-08-21T15:00:00+03', noon],
      ['2025-08-21T15:00:00+0300', noon],
      ['2025-08-21T15:00:00+03:00', noon],
      ['2025-08-21T06:30:00-05:30', noon],
      ['2025-08-20T12:01:00-23:59', noon],
      ['2025-08-21T12:00:00-00:00', noon],
      ['2025-08-21 12:00:00 UTC', noon],
      ['2025-08-21 12:00:00.000001 UTC', noon + 1],
      ['2025-08-21 15:00:00 +0300', noon],
      ['2025-08-21T15:00:00 +03:00', noon],
      ['20250821T120000Z', noon],
      ['20250821T1500+0300', noon],
      ['20250821T120000.5', noon + 500_000],
      ['2025-08-20T24:00:00Z', noon - MICROS_PER_DAY / 2],
      ['2025-08-21T11:59:60Z', noon],
      ['1970-01-01T00:00:00Z', 0],
      ['1969-12-31T23:59:59.999999Z', -1],
      ['0001-01-01', Date.parse('0001-01-01') * 1_000],
      ['9999-12-31', Date.parse('9999-12-31') * 1_000],
    ]
    for (const [text, at_us] of forms) assert.equal(parseInstant(text), at_us, text)
  })

  it('refuses what names none', () => {
    const refused = [
      '',
      ' ',
      'now',
      '2025',
      '2025-08',
      '20250821',
      '2025-8-21',
      '2025-08-21T',
      '2025-08-21T12',
      '2025-08-21T1200',
      '2025-08-21T12:00:0',
      '2025-08-21T12:00:00.',
      '2025-08-21T12:00:00.0000000001Z',
      '2025-08-21T12:00.5',
      '2025-08-21T24:00:01',
      '2025-08-21T24:00:00.1',
      '2025-08-21T25:00:00',
      '2025-08-21T12:59:61',
      '2025-08-21 10:00:00 CET',
      '2025-08-21 10:00:00  UTC',
      '20250821T246000Z',
      '2025-08-21T12:60:00',
      '2025-08-21T12:00:60',
      '2025-08-21T12:00:00+24:00',
      '2025-08-21T12:00:00+03:60',
      '2025-08-21T12:00:00+3',
      '2025-08-21T12:00:00+03:0',
      '2025-08-21T12:00:00UTC',
      '2025-08-21T12:00:00Z[UTC]',
      '2025-08-21Z',
      '-2025-08-21',
      '12025-08-21',
      ' 2025-08-21',
      '2025-08-21\n',
      '2025-08-21T12:00:00Z\n',
      '２０２５-08-21',
      '2025-02-29',
      '2100-02-29',
      '2025-04-31',
      '2025-00-01',
      '2025-13-01',
      '2025-01-00',
      '2025-01-32',
    ]
    for (const text of refused) assert.equal(parseInstant(text), null, text)
  })

  it('knows leap years by all three rules', () => {
    for (const year of ['1972', '2000', '2024', '2400']) assert.notEqual(parseInstant(`${year}-02-29`), null)
    for (const year of ['1900', '2023', '2100', '2200']) assert.equal(parseInstant(`${year}-02-29`), null)
  })
})

describe('an instant', () => {
  it('is written in UTC with all its microseconds, and reads as itself', () => {
    const at = fc.integer({ min: 0, max: Date.UTC(2255, 0, 1) * 1_000 })
    fc.assert(
      fc.property(at, (at_us) => {
        const text = formatInstant(at_us)
        assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
        assert.equal(parseInstant(text), at_us)
      }),
    )
    assert.equal(formatInstant(0), '1970-01-01T00:00:00.000000Z')
    assert.equal(formatInstant(1_754_017_954_000_001), '2025-08-01T03:12:34.000001Z')
  })
})

describe('a day', () => {
  it('is written as it was read, from 1970 to the end of the calendar', () => {
    assert.equal(parseDay('1970-01-01'), 0)
    assert.equal(parseDay('9999-12-31'), 2_932_896)
    for (let day = 0; day <= 2_932_896; day += 13) {
      const text = new Date(day * 86_400_000).toISOString().slice(0, 10)
      assert.equal(formatDay(day), text)
      assert.equal(parseDay(text), day)
    }
  })

  it('begins with its first microsecond and ends with its last', () => {
    for (const text of ['1970-01-01', '2024-02-29', '2025-12-31']) {
      const day = parseDay(text)!
      assert.equal(dayOf(parseInstant(`${text}T00:00:00.000000Z`)!), day)
      assert.equal(dayOf(parseInstant(`${text}T23:59:59.999999Z`)!), day)
      assert.equal(dayOf(parseInstant(`${text}T23:59:59.999999Z`)! + 1), day + 1)
    }
    assert.equal(dayOf(-1), -1)
  })

  it('is a date alone', () => {
    for (const text of ['', '2025-08-21T00:00', '2025-8-21', '2025-08-21 ', '2025-02-30', '10000-01-01']) {
      assert.equal(parseDay(text), null, text)
    }
  })

  it('that no calendar has cannot be written', () => {
    for (const day of [2_932_897, 0.5, Number.NaN, Infinity]) {
      assert.throws(() => formatDay(day), RangeError)
    }
  })
})

describe('now', () => {
  it('is a whole number of microseconds that a double holds exactly', () => {
    assert.ok(Number.isSafeInteger(nowMicros()))
  })
})
