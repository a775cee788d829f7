import { writeCursor } from '../../query/cursor.ts'
import { EVENTS_LIMIT_MAX, eventsSchema } from '../../query/events-parameters.ts'
import { CONTENT_TYPES } from '../../query/format.ts'
import { parseDay, parseInstant } from '../../time.ts'
import type { Json } from '../json-schema.ts'
import { jsonReply, refusal, textReply } from '../operation.ts'
import type { Example, Operation } from '../operation.ts'
import {
  DAU_PARAMETERS,
  FILTERS,
  inQuery,
  queryOf,
  RETENTION_PARAMETERS,
  TOP_EVENTS_PARAMETERS,
} from '../parameters.ts'
import { ref } from '../schemas.ts'
import { WHEN_ASKING } from '../situations.ts'
import { BATCH, eventNumber } from './example-events.ts'

/** What can be asked: events as they are stored, questions about them, and what lies where. */

const RANGE = 'from=2025-08-01&to=2025-08-03'
const text = { type: 'string' }
/** Of the events that the examples of `POST /events` store, hot and not yet cold. */
const read = (hot_events: number) => ({ hot_events, cold_events: 0, cold_files: 0, took_ms: 1.5 })

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
    segments: [{ field: 'user_id', values: ['anna'] }],
  },
)

const missingDay: Pick<Example, 'status' | 'reply'> = refusal(
  'invalid_parameter',
  'to is required, as YYYY-MM-DD',
  {
    errors: [{ path: 'to', message: 'is required, as YYYY-MM-DD' }],
  },
)

export const getEvents: Operation = {
  id: 'getEvents',
  tag: 'events',
  summary: 'Read events back',
  description:
    'Newest first, over both tiers. Paging to the end gives every event that was there at the start exactly once. ' +
    'Without `from` and `to`: the last 7 days, up to tomorrow. ' +
    `In JSON a page has at most ${EVENTS_LIMIT_MAX.json} events.`,
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
        [CONTENT_TYPES.ndjson]: { ...text, description: 'One event a line.' },
        [CONTENT_TYPES.csv]: { ...text, description: 'A file for an import.' },
      },
      headers: ['Link'],
    },
  },
  problems: WHEN_ASKING,
  examples: {
    of_one_user: {
      summary: 'What a user did',
      path: `/events?${RANGE}&user_id=anna`,
      ...jsonReply({ data: stored, next_cursor: null, meta: read(10) }),
    },
    first_page: {
      summary: 'One event a page',
      path: `/events?${RANGE}&user_id=anna&limit=1`,
      ...jsonReply({ data: stored.slice(0, 1), next_cursor: NEXT_PAGE, meta: read(10) }),
    },
    second_page: {
      summary: 'The next page, which is the last',
      path: `/events?user_id=anna&limit=1&cursor=${NEXT_PAGE}`,
      ...jsonReply({ data: stored.slice(1), next_cursor: null, meta: read(10) }),
    },
    ndjson: {
      summary: 'One event a line',
      path: `/events?${RANGE}&user_id=anna&format=ndjson`,
      ...textReply(CONTENT_TYPES.ndjson, stored.map((event) => `${JSON.stringify(event)}\n`).join('')),
    },
    csv: {
      summary: 'CSV, as for an import',
      path: `/events?${RANGE}&user_id=dora`,
      headers: { accept: 'text/csv' },
      ...textReply(
        CONTENT_TYPES.csv,
        'event_id,occurred_at,user_id,event_type,properties_json\r\n' +
          `${eventNumber(5)},2025-08-01T09:30:00.000000Z,dora,app_open,"{""country"":""SE""}"\r\n`,
      ),
    },
    wrong_day: {
      summary: 'A day that no calendar has',
      path: '/events?from=2025-02-30',
      ...refusal('invalid_parameter', 'from must be a calendar day, YYYY-MM-DD', {
        errors: [{ path: 'from', message: 'must be a calendar day, YYYY-MM-DD' }],
      }),
    },
  },
}

function question(
  of: Pick<Operation, 'id' | 'summary' | 'description' | 'examples'> & {
    parameters: readonly Json[]
    answer: string
  },
): Operation {
  const { answer, ...told } = of
  return {
    ...told,
    tag: 'questions',
    replies: {
      200: {
        description: 'The answer, over both tiers, with every event acknowledged before the question began.',
        content: {
          'application/json': ref(answer),
          [CONTENT_TYPES.csv]: { ...text, description: 'The entries of `data`, with a header line.' },
        },
      },
    },
    problems: WHEN_ASKING,
  }
}

export const getDau = question({
  id: 'getDailyActiveUsers',
  summary: 'Daily active users',
  description: 'Every day of the range, both ends included; zero where nobody came.',
  parameters: DAU_PARAMETERS,
  answer: 'DailyActiveUsers',
  examples: {
    dau: {
      summary: 'Three days',
      path: `/stats/dau?${RANGE}`,
      ...jsonReply({
        from: '2025-08-01',
        to: '2025-08-03',
        data: [
          { date: '2025-08-01', dau: 4 },
          { date: '2025-08-02', dau: 2 },
          { date: '2025-08-03', dau: 0 },
        ],
        meta: read(11),
      }),
    },
    dau_csv: {
      summary: 'As CSV, of one country',
      path: `/stats/dau?${RANGE}&properties.country=PL&format=csv`,
      ...textReply(CONTENT_TYPES.csv, 'date,dau\r\n2025-08-01,1\r\n2025-08-02,1\r\n2025-08-03,0\r\n'),
    },
    dau_without_to: { summary: 'A day is missing', path: '/stats/dau?from=2025-08-01', ...missingDay },
  },
})

export const getTopEvents = question({
  id: 'getTopEvents',
  summary: 'Most frequent event types',
  description: 'By count, then name.',
  parameters: TOP_EVENTS_PARAMETERS,
  answer: 'TopEvents',
  examples: {
    top_events: {
      summary: 'Of one user',
      path: `/stats/top-events?${RANGE}&limit=5&segment=user_id:anna`,
      ...jsonReply({
        from: '2025-08-01',
        to: '2025-08-03',
        limit: 5,
        data: [
          { event_type: 'app_open', count: 1 },
          { event_type: 'purchase', count: 1 },
        ],
        meta: read(11),
      }),
    },
    top_events_csv: {
      summary: 'As CSV',
      path: `/stats/top-events?${RANGE}`,
      headers: { accept: 'text/csv' },
      ...textReply(CONTENT_TYPES.csv, 'event_type,count\r\napp_open,10\r\npurchase,1\r\n'),
    },
    top_events_without_to: {
      summary: 'A day is missing',
      path: '/stats/top-events?from=2025-08-01',
      ...missingDay,
    },
  },
})

export const getRetention = question({
  id: 'getRetention',
  summary: 'Retention',
  description: 'Of those active in window 0, how many came back in each later window.',
  parameters: RETENTION_PARAMETERS,
  answer: 'Retention',
  examples: {
    retention: {
      summary: 'The day after',
      path: '/stats/retention?start_date=2025-08-01&windows=1&window=day',
      ...jsonReply({
        start_date: '2025-08-01',
        window: 'day',
        windows: 1,
        cohort_size: 4,
        data: [{ window: 1, from: '2025-08-02', to: '2025-08-02', users: 2, rate: 0.5 }],
        meta: read(11),
      }),
    },
    retention_csv: {
      summary: 'The week after, as CSV',
      path: '/stats/retention?start_date=2025-08-01&windows=1&window=week&format=csv',
      ...textReply(
        CONTENT_TYPES.csv,
        'window,from,to,users,rate,cohort_size\r\n1,2025-08-08,2025-08-14,0,0,4\r\n',
      ),
    },
    retention_by_month: {
      summary: 'A window that does not exist',
      path: '/stats/retention?start_date=2025-08-01&window=month',
      ...refusal('invalid_parameter', 'window must be day or week', {
        errors: [{ path: 'window', message: 'must be day or week' }],
      }),
    },
  },
})

export const getTiers: Operation = {
  id: 'getTiers',
  tag: 'service',
  summary: 'What lies in hot and in cold',
  replies: {
    200: {
      description: 'Events, files and bytes, by tier and day.',
      content: { 'application/json': ref('Tiers') },
    },
  },
  problems: WHEN_ASKING,
  examples: {
    tiers: {
      summary: 'Nothing is cold yet',
      ...jsonReply({ hot: { events: 11, days: 2 }, cold: { events: 0, files: 0, bytes: 0, days: [] } }),
    },
  },
}
