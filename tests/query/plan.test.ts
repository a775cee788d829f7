import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Catalog, ColdFile } from '../../src/store/catalog.ts'
import { planDayGroups, planEvents, planPlaces, planQuery } from '../../src/query/plan.ts'
import type { Filter } from '../../src/filter/tree.ts'
import type { EventsQuestion } from '../../src/query/question.ts'
import { formatDay, MICROS_PER_DAY } from '../../src/event/time.ts'
import { askedFor } from '../support/asked.ts'
import { coldFileOf } from '../support/cold-file.ts'

const day = fc.integer({ min: 0, max: 40_000 })

const fileOf = (d: number, n: number) => coldFileOf({ path: `day=${d}/${n}.parquet`, day: d, rows: n })

function retentionDays(window: 'day' | 'week') {
  return askedFor('retention', { start_date: formatDay(100), window }).days
}

const catalogOf = (files: ColdFile[]): Catalog => ({ generation: 1, files, days: [], segments: [] })

const asked = (from: number, to: number): EventsQuestion => ({
  from,
  to,
  limit: 10,
  after: null,
  filter: null,
})

const OTHER_ID = '25a4b866-040b-466f-945c-148e4720f511'

/** `key:value` of a property, and a user. */
const filtered = (property: string, value: string, user: string) =>
  askedFor('dau', {
    from: '2025-08-01',
    to: '2025-08-02',
    [`properties.${property}`]: value,
    segment: `user_id:${user}`,
  })
/** As it stands in a list of values. */
const written = (value: string) => value.replaceAll(/[\\,]/g, String.raw`\$&`)

describe('the query plan', () => {
  const range = fc.tuple(day, fc.nat(60)).map(([from, length]) => ({ from, to: from + length }))
  const dates = range.map(({ from, to }) => ({ from: formatDay(from), to: formatDay(to) }))
  const question = fc.oneof(
    dates.map((range_asked) => askedFor('dau', range_asked)),
    dates.map((range_asked) => askedFor('top-events', { ...range_asked, limit: '3' })),
    fc
      .tuple(day, fc.integer({ min: 1, max: 9 }), fc.constantFrom('day', 'week'))
      .map(([start, windows, window]) =>
        askedFor('retention', { start_date: formatDay(start), windows: String(windows), window }),
      ),
  )

  it('names exactly the files of the days asked for', () => {
    const around = fc.array(fc.integer({ min: -80, max: 80 }), { maxLength: 40 })
    fc.assert(
      fc.property(question, around, (q, offsets) => {
        const { from, to } = q.days
        const files = offsets.map((offset, n) => fileOf(Math.max(0, from + offset), n))
        const plan = planQuery(q, catalogOf(files), '/cold')
        const wanted = files.filter((file) => file.day >= from && file.day <= to)
        assert.deepEqual(plan.files, wanted)
        assert.equal(
          plan.cold_events,
          wanted.reduce((n, file) => n + file.rows, 0),
        )
        for (const file of files)
          assert.equal(plan.sql.includes(`'/cold/${file.path}'`), wanted.includes(file))
        assert.equal(plan.sql.includes('read_parquet'), wanted.length > 0)
      }),
    )
  })

  it('covers the cohort window and every window after it, to the day', () => {
    assert.deepEqual(retentionDays('day'), { from: 100, to: 103 })
    assert.deepEqual(retentionDays('week'), { from: 100, to: 127 })
  })

  it('binds what a client chose and never writes it into the SQL', () => {
    fc.assert(
      // A dot in a name makes another condition, because it may be a path; NUL is refused.
      fc.property(
        fc.stringMatching(/^[^.\0]+$/s).filter((text) => text.isWellFormed()),
        fc.string({ minLength: 1 }).filter((text) => !text.includes('\0')),
        (property, value) => {
          const plan = planQuery(
            filtered(`key ${property}`, written(`text ${value}`), written(`user ${value}`)),
            catalogOf([]),
            '/cold',
          )
          assert.equal(plan.sql, planQuery(filtered('k', 'v', 'u'), catalogOf([]), '/cold').sql)
          assert.ok(plan.params.includes(`text ${value}`) && plan.params.includes(`user ${value}`))
        },
      ),
    )
  })
})

describe('the plan of reading events', () => {
  it('looks at every day asked for once, newest first, each with its files and no other', () => {
    const days = fc.array(fc.integer({ min: 90, max: 200 }), { maxLength: 60 })
    const after = fc.option(fc.integer({ min: 100, max: 180 }))
    fc.assert(
      fc.property(days, fc.integer({ min: 100, max: 180 }), fc.nat(80), after, (held, from, length, at) => {
        const to = Math.min(180, from + length)
        const cursor_day = at === null ? to : Math.min(Math.max(at, from), to)
        const place = { at_us: cursor_day * MICROS_PER_DAY + 5, event_id: OTHER_ID }
        const catalog = catalogOf(held.map((d, n) => fileOf(d, n)))
        const groups = planDayGroups({ ...asked(from, to), after: at === null ? null : place }, catalog)
        const covered: number[] = []
        for (const group of groups) {
          for (let d = group.to; d >= group.from; d -= 1) covered.push(d)
          assert.deepEqual(
            group.files,
            catalog.files.filter(({ day: d }) => d >= group.from && d <= group.to),
          )
        }
        assert.deepEqual(
          covered,
          Array.from({ length: cursor_day - from + 1 }, (_, i) => cursor_day - i),
        )
      }),
    )
  })

  it('takes what is not cold yet, then one cold day, and twice as many each time', () => {
    const files = Array.from({ length: 100 }, (_, n) => fileOf(100 + n, n))
    const sizes = planDayGroups(asked(100, 205), catalogOf(files)).map((group) => group.files.length)
    assert.deepEqual(sizes, [0, 1, 2, 4, 8, 16, 32, 37])
    assert.deepEqual(
      planDayGroups(asked(100, 199), catalogOf(files)).map((group) => group.files.length),
      [1, 2, 4, 8, 16, 32, 37],
    )
    assert.deepEqual(planDayGroups(asked(100, 199), catalogOf([])), [{ from: 100, to: 199, files: [] }])
  })

  it('binds what a client chose, and opens only the files between the places', () => {
    const files = [fileOf(1, 1), fileOf(2, 2), fileOf(3, 3), fileOf(4, 4)]
    const first = { at_us: 3 * MICROS_PER_DAY + 7, event_id: OTHER_ID }
    const last = { at_us: 2 * MICROS_PER_DAY, event_id: OTHER_ID }
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.uuid(), (text, event_id) => {
        const values = [{ text: `text ${text}`, quoted: false }]
        const filter: Filter = { field: [`key ${text}`], op: 'in', values }
        const question = { ...asked(1, 4), after: { at_us: 4 * MICROS_PER_DAY, event_id }, filter }
        const group = planDayGroups(question, catalogOf(files))[0]!
        const places = planPlaces(question, group, 3, '/cold')
        const events = planEvents(question, [first, last], 1_000, files, '/cold')
        for (const { sql, params } of [places, events]) {
          assert.ok(!sql.includes(`text ${text}`) && params.includes(`text ${text}`))
        }
        assert.ok(!places.sql.includes(event_id) && places.params.includes(event_id))
        assert.deepEqual(events.files, files.slice(1, 3))
        assert.equal(events.cold_events, 5)
      }),
    )
  })
})
