import { parseDay, parseInstant } from '../../../event/time.ts'
import { writeCursor } from '../../../query/cursor.ts'
import { EVENTS_LIMIT_MAX, eventsSchema } from '../../../query/events-parameters.ts'
import { CONTENT_TYPES } from '../../../query/format.ts'
import { jsonReply, refusal, textReply } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { FILTERS, inQuery, queryOf } from '../parameters.ts'
import { ref } from '../schemas.ts'
import { WHEN_ASKING } from '../situations.ts'
import { BATCH, eventNumber, RANGE, read } from './example-events.ts'

/** `GET /events`. */

const text = { type: 'string' }
const [opened, bought] = BATCH.map((event) => ({ ...event, user_id: 'anna' }))
const stored = [
  { ...bought, occurred_at: '2025-08-02T13:04:15.000000Z' },
  { ...opened, occurred_at: '2025-08-01T03:52:34.123456Z' },
]

const NEXT_PAGE = writeCursor(
  { event_id: bought!.event_id, at_us: parseInstant(bought!.occurred_at)! },
  {
    from: parseDay('2025-08-01')!,
    to: parseDay('2025-08-03')!,
    filter: { field: 'user_id', op: 'in', values: [{ text: 'anna', quoted: false }] },
  },
)

export const getEvents: Operation = {
  id: 'getEvents',
  tag: 'events',
  summary: 'List events',
  description:
    'Newest first, over both tiers. Paging to the end returns every event stored before the first page exactly once. ' +
    'Without `from` and `to`: the last 7 days, and tomorrow. ' +
    `A JSON page has at most ${EVENTS_LIMIT_MAX.json} events.`,
  parameters: [
    ...queryOf(eventsSchema(EVENTS_LIMIT_MAX.ndjson)),
    inQuery('user_id', text, false, 'Short for `segment=user_id:…`.'),
    inQuery('event_type', text, false, 'Short for `segment=event_type:…`.'),
    ...FILTERS,
  ],
  replies: {
    200: {
      description: 'A page of events.',
      content: {
        [CONTENT_TYPES.json]: ref('EventsPage'),
        [CONTENT_TYPES.ndjson]: { ...text, description: 'One event per line.' },
        [CONTENT_TYPES.csv]: { ...text, description: 'The format of `frostline import`.' },
      },
      headers: ['Link'],
    },
  },
  problems: WHEN_ASKING,
  examples: {
    of_one_user: {
      summary: 'Events of one user',
      path: `/events?${RANGE}&user_id=anna`,
      ...jsonReply({ data: stored, next_cursor: null, meta: read(10) }),
    },
    first_page: {
      summary: 'One event per page',
      path: `/events?${RANGE}&user_id=anna&limit=1`,
      ...jsonReply({ data: stored.slice(0, 1), next_cursor: NEXT_PAGE, meta: read(10) }),
    },
    second_page: {
      summary: 'The next and last page',
      path: `/events?user_id=anna&limit=1&cursor=${NEXT_PAGE}`,
      ...jsonReply({ data: stored.slice(1), next_cursor: null, meta: read(10) }),
    },
    ndjson: {
      summary: 'NDJSON, one event per line',
      path: `/events?${RANGE}&user_id=anna&format=ndjson`,
      ...textReply(CONTENT_TYPES.ndjson, stored.map((event) => `${JSON.stringify(event)}\n`).join('')),
    },
    csv: {
      summary: 'CSV',
      path: `/events?${RANGE}&user_id=dora`,
      headers: { accept: 'text/csv' },
      ...textReply(
        CONTENT_TYPES.csv,
        'event_id,occurred_at,user_id,event_type,properties_json\r\n' +
          `${eventNumber(5)},2025-08-01T09:30:00.000000Z,dora,app_open,"{""country"":""SE""}"\r\n`,
      ),
    },
    wrong_day: {
      summary: 'A day that does not exist',
      path: '/events?from=2025-02-30',
      ...refusal('invalid_parameter', 'from must be a calendar day, YYYY-MM-DD', {
        errors: [{ path: 'from', message: 'must be a calendar day, YYYY-MM-DD' }],
      }),
    },
  },
}
