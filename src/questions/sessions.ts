import * as v from 'valibot'
import { formatDay } from '../event/time.ts'
import type { Days } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { duration } from './parts/duration.ts'
import { EXAMPLE_RANGE } from './parts/examples.ts'
import { COUNT, DAY, listOf, markedOf, objectOf, TEXT } from './parts/json-schema.ts'
import { choice, RANGE } from './parts/parameters.ts'
import { intervalsBetween, tooManyHours } from './parts/periods.ts'
import { marked, rounded } from './parts/states.ts'
import type { Incomplete } from './parts/states.ts'

const UNITS = ['hour', 'day', 'week', 'month'] as const
export const GAP_SECONDS_MAX = 86_400
/** A session is looked for so far before the range, and followed so far behind it. */
const DAYS_AROUND = 2

export interface SessionsAnswer {
  from: string
  to: string
  interval: (typeof UNITS)[number]
  gap_s: number
  data: ({
    time: string
    sessions: number | null
    users: number | null
    median_s: number | null
    p90_s: number | null
    events_per_session: number | null
  } & Incomplete)[]
}

export const sessions = define({
  name: 'sessions',
  kind: 'sessions',
  title: 'Sessions',
  text:
    'A session is a run of events of one user in which no two follow each other by more than `gap`. It belongs to the interval in which it begins, so that ' +
    'one that crosses midnight is one. Its length is the time from its first event to its last; a session of one event has 0. `median_s` and `p90_s` are of ' +
    `the lengths, null without sessions. Sessions are followed for ${DAYS_AROUND} days after the range. With a filter, only the events that it lets through make sessions.`,
  parameters: v.object({
    ...RANGE,
    interval: v.optional(choice(UNITS), 'day'),
    gap: v.optional(duration(GAP_SECONDS_MAX), '30m'),
  }),
  parameter_texts: { gap: 'Longest time between two events of a session: `90s`, `30m`, `2h`.' },
  days: ({ from, to }) => ({ from, to }),
  faults: ({ interval, from, to }) => (interval === 'hour' ? tooManyHours({ from, to }) : []),
  reads: ({ days }) => around(days),
  sql({ parameters: { interval: unit, gap }, days }, { select, interval }) {
    const read = around(days)
    const columns = `user_id, at_us, event_id, ${interval(unit, read)} AS n, ${interval('day', read)} AS local_day`
    return `
      WITH e AS (
        SELECT *, at_us - lag(at_us) OVER in_order > ${gap * 1_000_000} AS begins
        FROM (${select(columns, read)}) WINDOW in_order AS (PARTITION BY user_id ORDER BY at_us, event_id)),
      counted AS (
        SELECT *, sum(coalesce(begins, true)::INTEGER) OVER (PARTITION BY user_id ORDER BY at_us, event_id) AS session FROM e),
      sessions AS (
        SELECT user_id, arg_min(n, (at_us, event_id)) AS n, arg_min(local_day, (at_us, event_id)) AS local_day,
          (max(at_us) - min(at_us)) / 1000000 AS length_s, count(*) AS events
        FROM counted GROUP BY user_id, session)
      SELECT n::DOUBLE, count(*)::INTEGER, count(DISTINCT user_id)::INTEGER,
        quantile_cont(length_s, 0.5)::DOUBLE, quantile_cont(length_s, 0.9)::DOUBLE, (sum(events) / count(*))::DOUBLE
      FROM sessions WHERE local_day BETWEEN ${days.from} AND ${days.to} GROUP BY n`
  },
  answer({ parameters: { interval, gap }, days, zone, now_us }, rows): SessionsAnswer {
    const found = new Map(rows.map(([n, ...numbers]) => [Number(n), numbers.map(Number)]))
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      interval,
      gap_s: gap,
      data: intervalsBetween(interval, days, zone, now_us).map(({ n, label, state }) => {
        const [count = 0, users = 0, ...lengths] = found.get(n) ?? []
        const [median_s, p90_s, events_per_session] = [0, 1, 2].map((i) =>
          lengths[i] === undefined ? null : rounded(lengths[i]),
        )
        return marked(
          state,
          { time: label },
          {
            sessions: count,
            users,
            median_s: median_s!,
            p90_s: p90_s!,
            events_per_session: events_per_session!,
          },
        )
      }),
    }
  },
  csv: ({ data }) => [
    ['time', 'sessions', 'users', 'median_s', 'p90_s', 'events_per_session', 'incomplete'],
    ...data.map((d) => [
      d.time,
      d.sessions,
      d.users,
      d.median_s,
      d.p90_s,
      d.events_per_session,
      d.incomplete ?? null,
    ]),
  ],
  schema: {
    name: 'Sessions',
    of: objectOf({
      from: DAY,
      to: DAY,
      interval: { enum: UNITS },
      gap_s: COUNT,
      data: listOf(
        markedOf(
          { time: TEXT },
          {
            sessions: COUNT,
            users: COUNT,
            median_s: { type: 'number', minimum: 0 },
            p90_s: { type: 'number', minimum: 0 },
            events_per_session: { type: 'number', minimum: 1 },
          },
        ),
      ),
    }),
  },
  examples: {
    sessions: {
      summary: 'Two days',
      query: 'from=2025-08-02&to=2025-08-03&where=user_id+%3D+anna',
      reply: {
        answer: {
          from: '2025-08-02',
          to: '2025-08-03',
          interval: 'day',
          gap_s: 1_800,
          data: [
            { time: '2025-08-02', sessions: 1, users: 1, median_s: 0, p90_s: 0, events_per_session: 1 },
            {
              time: '2025-08-03',
              sessions: 0,
              users: 0,
              median_s: null,
              p90_s: null,
              events_per_session: null,
            },
          ],
        },
      },
    },
    sessions_without_unit: {
      summary: 'A gap without a unit',
      query: `${EXAMPLE_RANGE}&gap=30`,
      reply: { errors: [{ path: 'gap', message: 'must be a time such as 90s, 30m, 2h or 7d, at most 1d' }] },
    },
  },
})

function around({ from, to }: Days): Days {
  return { from: from - DAYS_AROUND, to: to + DAYS_AROUND }
}
