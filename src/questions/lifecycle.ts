import * as v from 'valibot'
import { firstDayOf, intervalOfDay, intervalsOf } from '../calendar/interval.ts'
import { formatDay } from '../event/time.ts'
import type { Asked, Days, Row } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { COUNT, DAY, listOf, markedOf, objectOf } from './parts/json-schema.ts'
import { choice, RANGE } from './parts/parameters.ts'
import { marked } from './parts/states.ts'
import type { Incomplete } from './parts/states.ts'
import { byInterval } from './parts/user-days.ts'

const UNITS = ['day', 'week', 'month'] as const
type LifecycleUnit = (typeof UNITS)[number]
const KINDS = ['new', 'returning', 'resurrected', 'dormant'] as const
type Kind = (typeof KINDS)[number]

export interface LifecycleAnswer {
  from: string
  to: string
  interval: LifecycleUnit
  data: ({ time: string } & Record<Kind, number | null> & Incomplete)[]
}

export const lifecycle = define({
  name: 'lifecycle',
  kind: 'lifecycle',
  title: 'New, returning, resurrected and dormant users',
  text:
    'For each interval: `new` users have their first event ever in it; `returning` users were active in the interval before, too; `resurrected` ' +
    'users were active earlier, but not in the interval before; `dormant` users were active in the interval before and not in this one. ' +
    'Weeks and months are whole, also where the range begins or ends within one. A filter is about all events, so that `new` is the first event that it lets through.',
  parameters: v.object({ ...RANGE, interval: v.optional(choice(UNITS), 'day') }),
  days: ({ from, to }) => ({ from, to }),
  reads: everything,
  sql(asked, { select, interval }) {
    const { interval: unit } = asked.parameters
    const read = everything(asked)
    const { first, last } = numbersOf(asked)
    return `
      WITH active AS (SELECT DISTINCT user_id, n FROM (${select(`user_id, ${interval(unit, read)} AS n`, read)})),
      steps AS (
        SELECT n, lag(n) OVER of_user AS before, lead(n) OVER of_user AS after
        FROM active WINDOW of_user AS (PARTITION BY user_id ORDER BY n)),
      told AS (
        SELECT n, CASE WHEN before IS NULL THEN 'new' WHEN before = n - 1 THEN 'returning' ELSE 'resurrected' END AS kind FROM steps
        UNION ALL SELECT n + 1, 'dormant' FROM steps WHERE after IS DISTINCT FROM n + 1)
      SELECT n::INTEGER, kind, count(*)::INTEGER FROM told WHERE n BETWEEN ${first} AND ${last} GROUP BY n, kind`
  },
  from_user_days: {
    can: () => true,
    rows(asked, days) {
      const { interval: unit } = asked.parameters
      const { from, to } = everything(asked)
      const { first, last } = numbersOf(asked)
      const intervals = byInterval(days, from, to, (day) => intervalOfDay(unit, day, asked.zone.week_start))
      /** Of each user 1 more than the last interval with events. */
      const lasts = new Uint32Array(days.numbers)
      const rows: Row[] = []
      let before = { n: -1, users: 0 }
      for (const [n, own] of intervals) {
        const users = days.users(own)
        const counts = { new: 0, returning: 0, resurrected: 0 }
        for (const user of users) {
          const behind = lasts[user]!
          counts[behind === 0 ? 'new' : behind === n ? 'returning' : 'resurrected'] += 1
          lasts[user] = n + 1
        }
        rows.push(...Object.entries(counts).map(([kind, count]) => [n, kind, count]))
        // After a gap nobody is returning.
        if (before.users > 0) rows.push([before.n + 1, 'dormant', before.users - counts.returning])
        before = { n, users: users.length }
      }
      if (before.users > 0) rows.push([before.n + 1, 'dormant', before.users])
      return rows.filter(([n]) => Number(n) >= first && Number(n) <= last)
    },
  },
  answer({ parameters: { interval }, days: { from, to }, zone, now_us }, rows): LifecycleAnswer {
    const counts = new Map(rows.map(([n, kind, count]) => [`${n} ${kind}`, Number(count)]))
    return {
      from: formatDay(from),
      to: formatDay(to),
      interval,
      data: intervalsOf(interval, from, to, zone, now_us).map(({ n, label, state }) => {
        const numbers = Object.fromEntries(KINDS.map((kind) => [kind, counts.get(`${n} ${kind}`) ?? 0]))
        return marked(state, { time: label }, numbers as Record<Kind, number>)
      }),
    }
  },
  csv: ({ data }) => [
    ['time', ...KINDS, 'incomplete'],
    ...data.map((d) => [d.time, ...KINDS.map((kind) => d[kind]), d.incomplete ?? null]),
  ],
  schema: {
    name: 'Lifecycle',
    of: objectOf({
      from: DAY,
      to: DAY,
      interval: { enum: UNITS },
      data: listOf(
        markedOf({ time: DAY }, { new: COUNT, returning: COUNT, resurrected: COUNT, dormant: COUNT }),
      ),
    }),
  },
  examples: {
    lifecycle: {
      summary: 'Two days',
      query: 'from=2025-08-01&to=2025-08-02',
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-02',
          interval: 'day',
          data: [
            { time: '2025-08-01', new: 4, returning: 0, resurrected: 0, dormant: 0 },
            { time: '2025-08-02', new: 0, returning: 2, resurrected: 0, dormant: 2 },
          ],
        },
      },
    },
  },
})

type LifecycleAsked = Pick<Asked<{ interval: LifecycleUnit }>, 'parameters' | 'days' | 'zone'>

/** The intervals of the first and the last day. */
function numbersOf({ parameters: { interval }, days, zone }: LifecycleAsked) {
  const numberOf = (day: number) => intervalOfDay(interval, day, zone.week_start)
  return { first: numberOf(days.from), last: numberOf(days.to) }
}

/** From the first day of all: who is new can only be told by all days before. */
function everything(asked: LifecycleAsked): Days {
  const { last } = numbersOf(asked)
  return { from: 0, to: firstDayOf(asked.parameters.interval, last + 1, asked.zone.week_start) - 1 }
}
