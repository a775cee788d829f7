import * as v from 'valibot'
import { intervalOfDay, intervalsOf } from '../calendar/interval.ts'
import { formatDay } from '../event/time.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE } from './parts/examples.ts'
import { COUNT, DAY, listOf, objectOf } from './parts/json-schema.ts'
import { choice, RANGE } from './parts/parameters.ts'
import { byInterval } from './parts/user-days.ts'

const UNITS = ['day', 'week', 'month'] as const

export interface StickinessAnswer {
  from: string
  to: string
  interval: (typeof UNITS)[number]
  data: { intervals: number; users: number }[]
}

export const stickiness = define({
  name: 'stickiness',
  kind: 'stickiness',
  title: 'Users by their number of active days',
  text: 'How many users were active on exactly 1, 2, … n days (weeks, months) of the range. One entry for each number of intervals that the range has.',
  parameters: v.object({ ...RANGE, interval: v.optional(choice(UNITS), 'day') }),
  days: ({ from, to }) => ({ from, to }),
  sql: ({ parameters }, { select, interval }) => `
    SELECT intervals, count(*)::INTEGER FROM (
      SELECT count(DISTINCT n)::INTEGER AS intervals
      FROM (${select(`user_id, ${interval(parameters.interval)} AS n`)}) GROUP BY user_id)
    GROUP BY intervals`,
  from_user_days: {
    can: () => true,
    rows({ parameters: { interval }, days: { from, to }, zone }, days) {
      const intervals = byInterval(days, from, to, (day) => intervalOfDay(interval, day, zone.week_start))
      const active = new Uint16Array(days.numbers)
      /** How many users were active in so many intervals. */
      const counts = new Uint32Array(intervals.size + 1)
      for (const own of intervals.values()) {
        for (const user of days.users(own)) {
          counts[active[user]!]! -= 1
          active[user]! += 1
          counts[active[user]!]! += 1
        }
      }
      return [...counts.entries()].slice(1).map(([count, users]) => [count, users])
    },
  },
  answer({ parameters: { interval }, days: { from, to }, zone, now_us }, rows): StickinessAnswer {
    const users = new Map(rows.map(([intervals, count]) => [intervals, Number(count)]))
    const count = intervalsOf(interval, from, to, zone, now_us).length
    return {
      from: formatDay(from),
      to: formatDay(to),
      interval,
      data: Array.from({ length: count }, (_, i) => ({ intervals: i + 1, users: users.get(i + 1) ?? 0 })),
    }
  },
  csv: ({ data }) => [['intervals', 'users'], ...data.map((d) => [d.intervals, d.users])],
  schema: {
    name: 'Stickiness',
    of: objectOf({
      from: DAY,
      to: DAY,
      interval: { enum: UNITS },
      data: listOf(objectOf({ intervals: COUNT, users: COUNT })),
    }),
  },
  examples: {
    stickiness: {
      summary: 'Three days',
      query: EXAMPLE_RANGE,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          interval: 'day',
          data: [
            { intervals: 1, users: 2 },
            { intervals: 2, users: 2 },
            { intervals: 3, users: 0 },
          ],
        },
      },
    },
    stickiness_by_hour: {
      summary: 'An interval that does not exist',
      query: `${EXAMPLE_RANGE}&interval=hour`,
      reply: { errors: [{ path: 'interval', message: 'must be day or week or month' }] },
    },
  },
})
