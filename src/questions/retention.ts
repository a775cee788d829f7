import * as v from 'valibot'
import { localDayOf } from '../calendar/zone.ts'
import { formatDay } from '../event/time.ts'
import { define } from './definition.ts'
import { COUNT, DAY, listOf, markedOf, objectOf, SHARE } from './json-schema.ts'
import { choice, day, integer } from './parameters.ts'
import { marked, rateOf } from './states.ts'
import type { Incomplete } from './states.ts'

export const RETENTION_WINDOWS_MAX = 366
const WINDOW_DAYS = { day: 1, week: 7 } as const

export interface RetentionAnswer {
  start_date: string
  window: 'day' | 'week'
  windows: number
  cohort_size: number
  /** `users` and `rate` are null if the window has not begun. */
  data: ({
    window: number
    from: string
    to: string
    users: number | null
    rate: number | null
  } & Incomplete)[]
}

export const retention = define({
  name: 'retention',
  kind: 'retention',
  title: 'Retention of a cohort',
  text: 'How many of the users active in window 0 were active again in each later window. Windows of one day or seven follow each other from `start_date`.',
  parameters: v.object({
    start_date: day,
    windows: v.optional(integer(1, RETENTION_WINDOWS_MAX), '3'),
    window: v.optional(choice(['day', 'week']), 'day'),
  }),
  days: ({ start_date, windows, window }) => ({
    from: start_date,
    to: start_date + (windows + 1) * WINDOW_DAYS[window] - 1,
  }),
  days_parameters: { many: 'windows', late: 'start_date' },
  sql: ({ parameters: { start_date, window } }, { select, interval }) => `
    WITH active AS (
      SELECT DISTINCT user_id, ((n - ${start_date}) // ${WINDOW_DAYS[window]})::INTEGER AS w
      FROM (${select(`user_id, ${interval('day')} AS n`)}))
    SELECT w, count(*)::INTEGER FROM active
    WHERE user_id IN (SELECT user_id FROM active WHERE w = 0) GROUP BY w`,
  answer({ parameters: { start_date, windows, window }, zone, now_us }, rows): RetentionAnswer {
    const users = new Map(rows.map(([w, n]) => [Number(w), Number(n)]))
    const cohort_size = users.get(0) ?? 0
    const length = WINDOW_DAYS[window]
    const today = localDayOf(zone.zone, now_us)
    const data = Array.from({ length: windows }, (_, i) => {
      const from = start_date + (i + 1) * length
      const to = from + length - 1
      const state = from > today ? 'future' : to >= today ? 'incomplete' : 'complete'
      const back = users.get(i + 1) ?? 0
      return marked(
        state,
        { window: i + 1, from: formatDay(from), to: formatDay(to) },
        { users: back, rate: rateOf(back, cohort_size) },
      )
    })
    return { start_date: formatDay(start_date), window, windows, cohort_size, data }
  },
  schema: {
    name: 'Retention',
    of: objectOf({
      start_date: DAY,
      window: { enum: ['day', 'week'] },
      windows: COUNT,
      cohort_size: COUNT,
      data: listOf(markedOf({ window: COUNT, from: DAY, to: DAY }, { users: COUNT, rate: SHARE })),
    }),
  },
  examples: {
    retention: {
      summary: 'One day later',
      query: 'start_date=2025-08-01&windows=1&window=day',
      reply: {
        answer: {
          start_date: '2025-08-01',
          window: 'day',
          windows: 1,
          cohort_size: 4,
          data: [{ window: 1, from: '2025-08-02', to: '2025-08-02', users: 2, rate: 0.5 }],
        },
      },
    },
    retention_csv: {
      summary: 'One week later, as CSV',
      query: 'start_date=2025-08-01&windows=1&window=week&format=csv',
      reply: {
        csv: 'window,from,to,users,rate,cohort_size,incomplete\r\n1,2025-08-08,2025-08-14,0,0,4,\r\n',
      },
    },
    retention_by_month: {
      summary: 'A window that does not exist',
      query: 'start_date=2025-08-01&window=month',
      reply: { errors: [{ path: 'window', message: 'must be day or week' }] },
    },
  },
  csv: ({ data, cohort_size }) => [
    ['window', 'from', 'to', 'users', 'rate', 'cohort_size', 'incomplete'],
    ...data.map((d) => [d.window, d.from, d.to, d.users, d.rate, cohort_size, d.incomplete ?? null]),
  ],
})
