import * as v from 'valibot'
import { formatDay, formatInstant } from '../event/time.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE, MISSING_TO } from './parts/examples.ts'
import { COUNT, DAY, listOf, objectOf, TEXT } from './parts/json-schema.ts'
import { NAMES_MAX, search, searched } from './parts/names.ts'
import { integer, RANGE } from './parts/parameters.ts'

export interface EventTypesAnswer {
  from: string
  to: string
  data: { event_type: string; count: number; users: number; first_seen: string; last_seen: string }[]
}

export const eventTypes = define({
  name: 'event-types',
  kind: 'event_types',
  title: 'Event types',
  text: 'The event types of the range, the most frequent first, with their counts, their different users, and the time of their first and last event in the range.',
  parameters: v.object({ ...RANGE, search, limit: v.optional(integer(1, NAMES_MAX), '100') }),
  parameter_texts: { search: 'Only names that contain this text, in any case of letters.' },
  days: ({ from, to }) => ({ from, to }),
  sql: ({ parameters: p }, { select, bind }) => `
    SELECT event_type, count(*)::DOUBLE AS n, count(DISTINCT user_id)::INTEGER, min(at_us)::DOUBLE, max(at_us)::DOUBLE
    FROM (${select('event_type, user_id, at_us')}) WHERE ${searched('event_type', p.search, bind)}
    GROUP BY event_type ORDER BY n DESC, event_type LIMIT ${bind(p.limit)}`,
  answer({ days }, rows): EventTypesAnswer {
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      data: rows.map(([event_type, count, users, first, last]) => ({
        event_type: String(event_type),
        count: Number(count),
        users: Number(users),
        first_seen: formatInstant(Number(first)),
        last_seen: formatInstant(Number(last)),
      })),
    }
  },
  csv: ({ data }) => [
    ['event_type', 'count', 'users', 'first_seen', 'last_seen'],
    ...data.map((d) => [d.event_type, d.count, d.users, d.first_seen, d.last_seen]),
  ],
  schema: {
    name: 'EventTypes',
    of: objectOf({
      from: DAY,
      to: DAY,
      data: listOf(
        objectOf({ event_type: TEXT, count: COUNT, users: COUNT, first_seen: TEXT, last_seen: TEXT }),
      ),
    }),
  },
  examples: {
    event_types: {
      summary: 'Those that have to do with buying',
      query: `${EXAMPLE_RANGE}&search=PURCH`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          data: [
            {
              event_type: 'purchase',
              count: 1,
              users: 1,
              first_seen: '2025-08-02T13:04:15.000000Z',
              last_seen: '2025-08-02T13:04:15.000000Z',
            },
          ],
        },
      },
    },
    event_types_without_to: { summary: 'A missing parameter', query: 'from=2025-08-01', reply: MISSING_TO },
  },
})
