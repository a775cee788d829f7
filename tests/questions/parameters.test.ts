import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Problem } from '../../src/problem/problem.ts'
import { FILTER_VALUES_MAX } from '../../src/filter/tree.ts'
import type { Test } from '../../src/filter/tree.ts'
import { RANGE_DAYS_MAX } from '../../src/questions/parts/parameters.ts'
import { RETENTION_WINDOWS_MAX } from '../../src/questions/retention.ts'
import { SEGMENT_CHARS_MAX, SEGMENTS_MAX } from '../../src/questions/parts/segments.ts'
import { TOP_EVENTS_LIMIT_MAX } from '../../src/questions/top-events.ts'
import { askedFor } from '../support/asked.ts'
import { formatDay, parseDay } from '../../src/event/time.ts'

const RANGE = { from: ['2025-08-01'], to: ['2025-08-31'] }
const START = { start_date: ['2025-08-01'] }

/** Which parameters a refusal names; empty where there is none. */
function faults(kind: string, query: Record<string, string[]>): string[] {
  try {
    askedFor(kind, query)
    return []
  } catch (error) {
    assert.ok(error instanceof Problem)
    assert.equal(error.code, 'invalid_parameter')
    return error.errors!.map(({ path }) => path)
  }
}

/** The tests that the segments make, without their operator, which is always `in`, and values as text. */
function segmentsOf(query: Record<string, string[]>) {
  const { filter } = askedFor('dau', { ...RANGE, ...query })
  const tests = (filter !== null && 'and' in filter ? filter.and : [filter]) as readonly Test[]
  return tests.map(({ field, op, values }) => {
    assert.equal(op, 'in')
    assert.ok(values.every(({ quoted }) => !quoted))
    return { field, values: values.map(({ text }) => text) }
  })
}
const segmentOf = (text: string) => segmentsOf({ segment: [text] })[0]!

describe('a question', () => {
  it('is read with its defaults', () => {
    const days = { from: parseDay('2025-08-01')!, to: parseDay('2025-08-31')! }
    const common = { zone: { zone: 'UTC', week_start: 'monday' }, filter: null, now_us: 5 }
    assert.deepEqual(askedFor('dau', RANGE, 5), {
      name: 'dau',
      parameters: { ...days, groups: 10 },
      days,
      ...common,
    })
    const top = askedFor('top-events', RANGE, 5)
    assert.deepEqual(top, { name: 'top-events', parameters: { ...days, limit: 10 }, days, ...common })
    assert.deepEqual(askedFor('retention', START, 5), {
      name: 'retention',
      parameters: {
        start_date: days.from,
        windows: 3,
        window: 'day',
        kind: 'n-day',
        cohort: 'active',
        cohorts: 1,
        groups: 10,
      },
      days: { from: days.from, to: days.from + 3 },
      ...common,
    })
  })

  it('is about whole windows, the first of them the cohort', () => {
    const ends = { day: '2025-08-02', week: '2025-08-14' }
    for (const [window, end] of Object.entries(ends)) {
      const { from, to } = askedFor('retention', { ...START, windows: ['1'], window: [window] }).days
      assert.deepEqual([formatDay(from), formatDay(to)], ['2025-08-01', end])
    }
  })

  it('may have each number up to its limit and not past it', () => {
    const edges: [kind: string, name: string, max: number][] = [
      ['top-events', 'limit', TOP_EVENTS_LIMIT_MAX],
      ['retention', 'windows', RETENTION_WINDOWS_MAX],
    ]
    for (const [kind, name, max] of edges) {
      const base = kind === 'retention' ? START : RANGE
      for (const good of [1, 2, max]) assert.deepEqual(faults(kind, { ...base, [name]: [`${good}`] }), [])
      for (const bad of ['0', `${max + 1}`, '-1', '1.0', '1e1', '0x1', '', ' 1', '٣', '1234567890']) {
        assert.deepEqual(faults(kind, { ...base, [name]: [bad] }), [name], bad)
      }
    }
  })

  it('may be about as many days as the limit says, all of them in the calendar', () => {
    const from = parseDay('2020-01-01')!
    const to = (days: number) => [formatDay(from + days - 1)]
    assert.deepEqual(faults('dau', { from: ['2020-01-01'], to: to(RANGE_DAYS_MAX) }), [])
    assert.deepEqual(faults('dau', { from: ['2020-01-01'], to: to(RANGE_DAYS_MAX + 1) }), ['to'])
    assert.deepEqual(faults('dau', { from: ['2020-01-01'], to: ['2019-12-31'] }), ['from'])
    assert.deepEqual(faults('dau', { from: ['1970-01-01'], to: ['1970-01-01'] }), [])
    assert.deepEqual(faults('dau', { from: ['1969-12-31'], to: ['1970-01-01'] }), ['from'])
    assert.deepEqual(faults('dau', { from: ['0000-01-01'], to: ['9999-12-31'] }), ['to'])
    const last = { start_date: ['9999-12-30'] }
    assert.deepEqual(faults('retention', { ...last, windows: ['1'] }), [])
    assert.deepEqual(faults('retention', { ...last, windows: ['2'] }), ['start_date'])
  })

  it('takes a parameter once, and only those that it has', () => {
    assert.deepEqual(faults('dau', { ...RANGE, from: ['2025-08-01', '2025-08-01'] }), ['from'])
    assert.deepEqual(faults('dau', { ...RANGE, limit: ['10'] }), [''])
    assert.deepEqual(faults('retention', { ...START, from: ['2025-08-01'] }), [''])
    for (const name of ['toString', 'constructor', 'hasOwnProperty', 'propertie.country', 'Segment', '']) {
      assert.deepEqual(faults('dau', { ...RANGE, [name]: ['1'] }), [''], name)
    }
  })

  it('is refused with every fault at once', () => {
    assert.deepEqual(
      faults('top-events', {
        to: ['x'],
        limit: ['0'],
        segment: ['y'],
        'properties.': ['z'],
        a: ['b'],
      }).toSorted(),
      ['', 'from', 'limit', 'properties', 'segment', 'to'],
    )
  })

  it('is refused without a word of what the client sent', () => {
    const marker = 'Zebra-7f3a91'
    const query = {
      from: [marker],
      to: [marker, marker],
      limit: [marker],
      segment: [marker, `${marker}:1`, `event_type:${marker},`],
      [`properties.${marker}`]: [''],
      [marker]: [marker],
    }
    assert.throws(
      () => askedFor('top-events', query),
      (error) => {
        assert.ok(error instanceof Problem)
        assert.ok(!JSON.stringify([error.message, error.errors]).includes(marker))
        return true
      },
    )
  })
})

describe('a segment', () => {
  it('is a field and its values', () => {
    assert.deepEqual(segmentOf('event_type:purchase'), { field: 'event_type', values: ['purchase'] })
    assert.deepEqual(segmentOf('user_id:1,2'), { field: 'user_id', values: ['1', '2'] })
    assert.deepEqual(segmentOf('properties.country:UA,PL'), {
      field: ['country'],
      values: ['UA', 'PL'],
    })
  })

  it('ends its name at the first colon, and only there', () => {
    assert.deepEqual(segmentOf('event_type:a:b'), { field: 'event_type', values: ['a:b'] })
    assert.deepEqual(segmentOf('properties.a.b:c:d'), { field: ['a', 'b'], values: ['c:d'] })
  })

  it('has a short form, whose key may hold a colon', () => {
    assert.deepEqual(segmentsOf({ 'properties.a:b': ['c:d,e'] }), [{ field: ['a:b'], values: ['c:d', 'e'] }])
    assert.deepEqual(segmentsOf({ 'properties.x': ['1'], segment: ['event_type:t'] }), [
      { field: 'event_type', values: ['t'] },
      { field: ['x'], values: ['1'] },
    ])
    assert.throws(() => segmentsOf({ 'properties.x': ['1', '2'] }), /is given twice; for either value/)
  })

  it('reads \\, and \\\\ as a comma and a backslash, and any other backslash as itself', () => {
    const cases: Record<string, string[]> = {
      'a\\,b': ['a,b'],
      'a\\\\,b': ['a\\', 'b'],
      'a\\\\\\,b': ['a\\,b'],
      'a\\b': ['a\\b'],
      'a\\': ['a\\'],
      '\\,': [','],
      ' a , b ': [' a ', ' b '],
      '🦓,\n': ['🦓', '\n'],
    }
    for (const [text, values] of Object.entries(cases)) {
      assert.deepEqual(segmentOf(`event_type:${text}`).values, values, text)
    }
  })

  it('can say every text that an event can have', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((s) => !s.includes('\0') && s.isWellFormed())
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 9 }), (values) => {
        const written = values.map((value) => value.replaceAll(/[\\,]/g, '\\$&')).join(',')
        assert.deepEqual(segmentOf(`event_type:${written}`).values, values)
      }),
      { numRuns: 1_000 },
    )
  })

  it('is bounded in length, in values and in number', () => {
    const longest = 'event_type:'.padEnd(SEGMENT_CHARS_MAX, 'x')
    assert.equal(segmentOf(longest).values[0]!.length, SEGMENT_CHARS_MAX - 'event_type:'.length)
    assert.deepEqual(faults('dau', { ...RANGE, segment: [`${longest}x`] }), ['segment'])
    const values = `user_id:1${',2'.repeat(FILTER_VALUES_MAX - 1)}`
    assert.equal(segmentOf(values).values.length, FILTER_VALUES_MAX)
    assert.deepEqual(faults('dau', { ...RANGE, segment: [`${values},3`] }), ['segment'])
    const segment = Array.from({ length: SEGMENTS_MAX }, () => 'user_id:1')
    assert.equal(segmentsOf({ segment }).length, SEGMENTS_MAX)
    assert.deepEqual(faults('dau', { ...RANGE, segment: [...segment, 'user_id:1'] }), ['segment'])
    assert.deepEqual(faults('dau', { ...RANGE, segment, 'properties.x': ['1'] }), ['segment'])
  })

  it('of another form is refused', () => {
    for (const text of [
      '',
      ':',
      'a',
      'event_type',
      'event_type:',
      'event_type:,',
      'event_type:a,',
      'event_type:,a',
      ' event_type:a',
      'event_id:a',
      'occurred_at:2025-08-01',
      'properties:a',
      'properties.:a',
      'properties.a',
      'event_type:\0',
      'event_type:\uD800',
    ]) {
      assert.deepEqual(faults('dau', { ...RANGE, segment: [text] }), ['segment'], JSON.stringify(text))
    }
  })
})
