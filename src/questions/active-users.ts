import * as v from 'valibot'
import { intervalsOf } from '../calendar/interval.ts'
import { formatDay } from '../event/time.ts'
import type { Row } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { MISSING_TO } from './parts/examples.ts'
import { COUNT, DAY, listOf, markedOf, objectOf, SHARE } from './parts/json-schema.ts'
import { integer, RANGE } from './parts/parameters.ts'
import { marked, rateOf } from './parts/states.ts'
import { byInterval } from './parts/user-days.ts'
import type { Incomplete } from './parts/states.ts'

const WAU_DAYS = 7
export const MAU_DAYS_MAX = 90

export interface ActiveUsersAnswer {
  from: string
  to: string
  mau_days: number
  data: ({
    date: string
    dau: number | null
    wau: number | null
    mau: number | null
    stickiness: number | null
  } & Incomplete)[]
}

/** SQL: the users of the last `days` days up to the day `d`. */
function countUsersSql(days: number): string {
  return `count(DISTINCT user_id) FILTER (n > d - ${days})::INTEGER`
}

export const activeUsers = define({
  name: 'active-users',
  kind: 'active_users',
  title: 'Daily, weekly and monthly active users',
  text:
    'For each day: the different users of that day, of the 7 days that end with it, and of the 30 (`mau_days`) days that end with it. ' +
    '`stickiness` is dau / mau. The days before `from` that the first entries need are read, too.',
  parameters: v.object({ ...RANGE, mau_days: v.optional(integer(1, MAU_DAYS_MAX), '30') }),
  parameter_texts: { mau_days: 'Days of a month: 28 makes every month hold the same weekdays.' },
  days: ({ from, to }) => ({ from, to }),
  reads: ({ parameters: { mau_days }, days: { from, to } }) => ({
    from: from - Math.max(WAU_DAYS, mau_days) + 1,
    to,
  }),
  sql({ parameters: { mau_days }, days: { from, to } }, { select, interval }) {
    const longest = Math.max(WAU_DAYS, mau_days)
    const read = { from: from - longest + 1, to }
    return `
      WITH active AS (SELECT DISTINCT user_id, n FROM (${select(`user_id, ${interval('day', read)} AS n`, read)}))
      SELECT d::INTEGER, ${countUsersSql(1)}, ${countUsersSql(WAU_DAYS)}, ${countUsersSql(mau_days)}
      FROM range(${from}, ${to + 1}) days(d) JOIN active ON n BETWEEN d - ${longest - 1} AND d GROUP BY d`
  },
  from_user_days: {
    can: () => true,
    rows({ parameters: { mau_days }, days: { from, to } }, days) {
      const longest = Math.max(WAU_DAYS, mau_days)
      const first = from - longest + 1
      const active = byInterval(days, first, to, (day) => day)
      /** Of each user the last active day, counted from `first` and from 1; and how many users have it. */
      const last_days = new Uint32Array(days.numbers)
      const counts = new Uint32Array(to - first + 2)
      const within = (day: number, length: number) =>
        counts.subarray(Math.max(1, day - length + 1), day + 1).reduce((n, count) => n + count, 0)
      const rows: Row[] = []
      for (let day = 1; day <= to - first + 1; day += 1) {
        for (const user of days.users(active.get(first + day - 1) ?? [])) {
          counts[last_days[user]!]! -= 1
          last_days[user] = day
          counts[day]! += 1
        }
        if (day >= longest)
          rows.push([first + day - 1, ...[1, WAU_DAYS, mau_days].map((length) => within(day, length))])
      }
      return rows
    },
  },
  answer({ parameters: { mau_days }, days: { from, to }, zone, now_us }, rows): ActiveUsersAnswer {
    const counts = new Map(rows.map(([day, ...users]) => [day, users.map(Number)]))
    return {
      from: formatDay(from),
      to: formatDay(to),
      mau_days,
      data: intervalsOf('day', from, to, zone, now_us).map(({ n, label, state }) => {
        const [dau = 0, wau = 0, mau = 0] = counts.get(n) ?? []
        return marked(state, { date: label }, { dau, wau, mau, stickiness: rateOf(dau, mau) })
      }),
    }
  },
  csv: ({ data }) => [
    ['date', 'dau', 'wau', 'mau', 'stickiness', 'incomplete'],
    ...data.map((d) => [d.date, d.dau, d.wau, d.mau, d.stickiness, d.incomplete ?? null]),
  ],
  schema: {
    name: 'ActiveUsers',
    of: objectOf({
      from: DAY,
      to: DAY,
      mau_days: COUNT,
      data: listOf(markedOf({ date: DAY }, { dau: COUNT, wau: COUNT, mau: COUNT, stickiness: SHARE })),
    }),
  },
  examples: {
    active_users: {
      summary: 'Two days',
      query: 'from=2025-08-01&to=2025-08-02',
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-02',
          mau_days: 30,
          data: [
            { date: '2025-08-01', dau: 4, wau: 4, mau: 4, stickiness: 1 },
            { date: '2025-08-02', dau: 2, wau: 4, mau: 4, stickiness: 0.5 },
          ],
        },
      },
    },
    active_users_csv: {
      summary: 'As CSV',
      query: 'from=2025-08-03&to=2025-08-03&mau_days=1&format=csv',
      reply: { csv: 'date,dau,wau,mau,stickiness,incomplete\r\n2025-08-03,0,4,0,0,\r\n' },
    },
    active_users_without_to: { summary: 'A missing parameter', query: 'from=2025-08-01', reply: MISSING_TO },
  },
})
