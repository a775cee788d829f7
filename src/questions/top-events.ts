import * as v from 'valibot'
import { formatDay } from '../event/time.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE, MISSING_TO } from './parts/examples.ts'
import { COUNT, DAY, listOf, objectOf, TEXT } from './parts/json-schema.ts'
import { integer, RANGE } from './parts/parameters.ts'

export const TOP_EVENTS_LIMIT_MAX = 1_000

export interface TopEventsAnswer {
  from: string
  to: string
  limit: number
  data: { event_type: string; count: number }[]
}

export const topEvents = define({
  name: 'top-events',
  kind: 'top_events',
  title: 'Most frequent event types',
  text: 'How often each event type occurred in the range, the most frequent first. Equal counts are ordered by name.',
  parameters: v.object({ ...RANGE, limit: v.optional(integer(1, TOP_EVENTS_LIMIT_MAX), '10') }),
  days: ({ from, to }) => ({ from, to }),
  sql: ({ parameters }, { select, bind }) =>
    `SELECT event_type, count(*)::DOUBLE AS n FROM (${select('event_type')})
     GROUP BY event_type ORDER BY n DESC, event_type LIMIT ${bind(parameters.limit)}`,
  from_user_days: {
    can: () => true,
    rows({ parameters: { limit } }, days) {
      const counts = new Map<string, number>()
      for (const day of days.active)
        for (const [type, events] of days.events(day)) counts.set(type, (counts.get(type) ?? 0) + events)
      return [...counts]
        .toSorted(([a, of_a], [b, of_b]) => of_b - of_a || Buffer.compare(Buffer.from(a), Buffer.from(b)))
        .slice(0, limit)
    },
  },
  answer({ days, parameters }, rows): TopEventsAnswer {
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      limit: parameters.limit,
      data: rows.map(([event_type, count]) => ({ event_type: String(event_type), count: Number(count) })),
    }
  },
  schema: {
    name: 'TopEvents',
    of: objectOf({
      from: DAY,
      to: DAY,
      limit: COUNT,
      data: listOf(objectOf({ event_type: TEXT, count: COUNT })),
    }),
  },
  examples: {
    top_events: {
      summary: 'One user',
      query: `${EXAMPLE_RANGE}&limit=5&segment=user_id:anna`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          limit: 5,
          data: [
            { event_type: 'app_open', count: 1 },
            { event_type: 'purchase', count: 1 },
          ],
        },
      },
    },
    top_events_csv: {
      summary: 'As CSV',
      query: `${EXAMPLE_RANGE}&format=csv`,
      reply: { csv: 'event_type,count\r\napp_open,10\r\npurchase,1\r\n' },
    },
    top_events_without_to: { summary: 'A missing parameter', query: 'from=2025-08-01', reply: MISSING_TO },
  },
  csv: ({ data }) => [['event_type', 'count'], ...data.map((d) => [d.event_type, d.count])],
})
