import * as v from 'valibot'
import { intervalsOf } from '../calendar/interval.ts'
import { formatDay } from '../event/time.ts'
import { define } from './parts/definition.ts'
import { COUNT, DAY, listOf, markedOf, objectOf } from './parts/json-schema.ts'
import { EXAMPLE_RANGE, MISSING_TO } from './parts/examples.ts'
import { RANGE } from './parts/parameters.ts'
import { marked } from './parts/states.ts'
import type { Incomplete } from './parts/states.ts'

export interface DauAnswer {
  from: string
  to: string
  /** `dau` is null if the day has not begun. */
  data: ({ date: string; dau: number | null } & Incomplete)[]
}

export const dau = define({
  name: 'dau',
  kind: 'dau',
  title: 'Daily active users',
  text: 'How many different users had at least one event on each day of the range, both ends included.',
  parameters: v.object(RANGE),
  days: ({ from, to }) => ({ from, to }),
  sql: (_asked, { select, interval }) =>
    `SELECT n::INTEGER, count(DISTINCT user_id)::INTEGER FROM (${select(`${interval('day')} AS n, user_id`)}) GROUP BY n`,
  answer({ days: { from, to }, zone, now_us }, rows): DauAnswer {
    const users = new Map(rows.map(([n, count]) => [Number(n), Number(count)]))
    return {
      from: formatDay(from),
      to: formatDay(to),
      data: intervalsOf('day', from, to, zone, now_us).map(({ n, label, state }) =>
        marked(state, { date: label }, { dau: users.get(n) ?? 0 }),
      ),
    }
  },
  schema: {
    name: 'DailyActiveUsers',
    of: objectOf({ from: DAY, to: DAY, data: listOf(markedOf({ date: DAY }, { dau: COUNT })) }),
  },
  examples: {
    dau: {
      summary: 'Three days',
      query: EXAMPLE_RANGE,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          data: [
            { date: '2025-08-01', dau: 4 },
            { date: '2025-08-02', dau: 2 },
            { date: '2025-08-03', dau: 0 },
          ],
        },
      },
    },
    dau_csv: {
      summary: 'One country, as CSV',
      query: `${EXAMPLE_RANGE}&properties.country=PL&format=csv`,
      reply: { csv: 'date,dau,incomplete\r\n2025-08-01,1,\r\n2025-08-02,1,\r\n2025-08-03,0,\r\n' },
    },
    dau_without_to: { summary: 'A missing parameter', query: 'from=2025-08-01', reply: MISSING_TO },
  },
  csv: ({ data }) => [
    ['date', 'dau', 'incomplete'],
    ...data.map((d) => [d.date, d.dau, d.incomplete ?? null]),
  ],
})
