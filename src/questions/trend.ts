import * as v from 'valibot'
import { intervalOfDay } from '../calendar/interval.ts'
import type { Interval, Unit } from '../calendar/interval.ts'
import { formatDay } from '../event/time.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE } from './parts/examples.ts'
import { GROUP_SCHEMA, groupColumns, GROUPING, groupOf, labelled } from './parts/groups.ts'
import type { Group } from './parts/groups.ts'
import { DAY, listOf, objectOf, TEXT } from './parts/json-schema.ts'
import { aggregate, emptyOf, measure, measured, MEASURES, valueColumn } from './parts/measure.ts'
import { choice, RANGE } from './parts/parameters.ts'
import { intervalsBetween, previousOf, tooManyHours } from './parts/periods.ts'
import { rounded } from './parts/states.ts'
import { byInterval } from './parts/user-days.ts'

export interface TrendAnswer {
  from: string
  to: string
  interval: Unit
  measure: string
  times: string[]
  /** The times that have begun and not ended. */
  incomplete: string[]
  series: Series[]
}

interface Series {
  group: Group
  /** One for each time: null if it has not begun, or if there is nothing to average. */
  values: (number | null)[]
  /** Over the whole range: of users, each counts once. */
  total: number | null
  /** With `compare=previous`. */
  previous?: (number | null)[]
  previous_total?: number | null
}

const UNITS = ['hour', 'day', 'week', 'month'] as const

export const trend = define({
  name: 'trend',
  kind: 'trend',
  title: 'A measure over time',
  text:
    'The measure of each hour, day, week or month of the range. A week or month counts only its days within the range. ' +
    '`total` is the measure of the whole range, so that a user of several intervals counts once. `compare=previous` adds the same ' +
    'number of intervals before the range. With `group_by` there is one series for each of the largest groups; a user of two groups counts in both.',
  parameters: v.object({
    ...RANGE,
    interval: v.optional(choice(UNITS), 'day'),
    measure: v.optional(measure, 'events'),
    compare: v.optional(choice(['previous'])),
    ...GROUPING,
  }),
  parameter_texts: {
    interval: 'Length of an interval.',
    measure: `${MEASURES.join(', ')}: what is measured. A property counts where it is a number; the result is rounded to six decimals.`,
    compare: 'Adds the intervals before.',
  },
  days: ({ from, to }) => ({ from, to }),
  faults: ({ interval, from, to }) => (interval === 'hour' ? tooManyHours({ from, to }) : []),
  reads: ({ parameters: { compare, interval }, days, zone }) =>
    compare === undefined ? days : { from: previousOf(days, interval, zone).from, to: days.to },
  sql({ parameters: p, days, zone }, { select, interval, bind }) {
    const fields = p.group_by ?? []
    const before = p.compare === undefined ? null : previousOf(days, p.interval, zone)
    const read = before === null ? days : { from: before.from, to: days.to }
    const columns = `${interval('day', read)} AS local_day, ${interval(p.interval, read)} AS n, user_id,
      ${valueColumn(p.measure, bind)} AS value ${groupColumns(fields, bind)}`
    const names = ['is_other', ...fields.map((_, i) => `g${i}`)].join(', ')
    const is_previous = `local_day < ${days.from}`
    return `
      WITH read AS (${select(columns, read)}),
      e AS (SELECT *, ${is_previous} AS is_previous FROM read ${before === null ? '' : `WHERE NOT ${is_previous} OR local_day <= ${before.to}`}),
      labelled AS (${labelled(fields, p.groups, aggregate(p.measure), 'n, is_previous, user_id, value', 'NOT is_previous')})
      SELECT ${names}, is_previous, n::DOUBLE, ${aggregate(p.measure)}::DOUBLE FROM labelled
      GROUP BY GROUPING SETS ((${names}, is_previous, n), (${names}, is_previous))`
  },
  from_user_days: {
    can: ({ interval, measure: { keys }, group_by: fields = [] }) =>
      interval !== 'hour' && keys === null && fields.length === 0,
    rows({ parameters: p, days: own, zone }, days) {
      const unit = p.interval as Exclude<Unit, 'hour'>
      const before = p.compare === undefined ? null : previousOf(own, unit, zone)
      const intervalOf = (day: number) => intervalOfDay(unit, day, zone.week_start)
      return [own, ...(before === null ? [] : [before])].flatMap(({ from, to }, i) => {
        const intervals = [...byInterval(days, from, to, intervalOf)]
        const all = intervals.flatMap(([, active]) => active)
        return [...intervals, [null, all] as const]
          .filter(([, active]) => active.length > 0)
          .map(([n, active]) => [false, i === 1, n, measured(p.measure, days, active)])
      })
    },
  },
  answer({ parameters: p, days, zone, now_us }, rows): TrendAnswer {
    const fields = p.group_by ?? []
    const intervals = intervalsBetween(p.interval, days, zone, now_us)
    const before = p.compare === undefined ? null : previousOf(days, p.interval, zone)
    const earlier = before === null ? [] : intervalsBetween(p.interval, before, zone, now_us)
    const empty = emptyOf(p.measure)
    const found = new Map<string, { group: Group; is_other: boolean; values: Map<string, number | null> }>()
    if (fields.length === 0) found.set('', { group: {}, is_other: false, values: new Map() })
    for (const row of rows) {
      const group = groupOf(fields, row)
      const key = fields.length === 0 ? '' : JSON.stringify(row.slice(0, fields.length + 1))
      const [is_previous, n, value] = row.slice(fields.length + 1)
      const entry = found.get(key) ?? { group, is_other: row[0] === true, values: new Map() }
      entry.values.set(`${is_previous}/${n}`, value === null ? null : rounded(Number(value)))
      found.set(key, entry)
    }
    const valuesOf = (
      values: ReadonlyMap<string, number | null>,
      is_previous: boolean,
      list: readonly Interval[],
    ) =>
      list.map(({ n, state }) => (state === 'future' ? null : (values.get(`${is_previous}/${n}`) ?? empty)))
    const series = [...found.values()].map(({ group, is_other, values }) => ({
      is_other,
      told: {
        group,
        values: valuesOf(values, false, intervals),
        total: values.get('false/null') ?? empty,
        ...(before === null
          ? {}
          : {
              previous: intervals.map((_, i) => valuesOf(values, true, earlier)[i] ?? null),
              previous_total: values.get('true/null') ?? empty,
            }),
      },
    }))
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      interval: p.interval,
      measure: p.measure.text,
      times: intervals.map(({ label }) => label),
      incomplete: intervals.filter(({ state }) => state === 'incomplete').map(({ label }) => label),
      series: series.toSorted(bySize).map(({ told }) => told),
    }
  },
  schema: {
    name: 'Trend',
    of: objectOf({
      from: DAY,
      to: DAY,
      interval: { enum: UNITS },
      measure: TEXT,
      times: listOf(TEXT),
      incomplete: listOf({ ...TEXT, description: 'A time that has begun and not ended.' }),
      series: listOf(
        objectOf(
          {
            group: GROUP_SCHEMA,
            values: listOf({ type: ['number', 'null'] }),
            total: { type: ['number', 'null'] },
            previous: listOf({ type: ['number', 'null'] }),
            previous_total: { type: ['number', 'null'] },
          },
          ['previous', 'previous_total'],
        ),
      ),
    }),
  },
  examples: {
    trend: {
      summary: 'Users of each event type, by day',
      query: `${EXAMPLE_RANGE}&measure=users&group_by=event_type`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          interval: 'day',
          measure: 'users',
          times: ['2025-08-01', '2025-08-02', '2025-08-03'],
          incomplete: [],
          series: [
            { group: { event_type: 'app_open' }, values: [4, 1, 0], total: 4 },
            { group: { event_type: 'purchase' }, values: [0, 1, 0], total: 1 },
          ],
        },
      },
    },
    trend_of_nothing: {
      summary: 'A measure without a property',
      query: `${EXAMPLE_RANGE}&measure=sum`,
      reply: { errors: [{ path: 'measure', message: `must be one of ${MEASURES.join(', ')}` }] },
    },
  },
  csv: ({ times, series }) => {
    const fields = Object.keys(series[0]?.group ?? {})
    return [
      ['time', ...fields, 'value'],
      ...series.flatMap(({ group, values }) =>
        times.map((time, i) => [time, ...fields.map((field) => group[field] ?? null), values[i] ?? null]),
      ),
    ]
  },
})

/** The largest total first, `other` last. */
function bySize(a: { is_other: boolean; told: Series }, b: { is_other: boolean; told: Series }): number {
  if (a.is_other !== b.is_other) return a.is_other ? 1 : -1
  const difference = (b.told.total ?? -Infinity) - (a.told.total ?? -Infinity)
  return difference || (JSON.stringify(a.told.group) < JSON.stringify(b.told.group) ? -1 : 1)
}
