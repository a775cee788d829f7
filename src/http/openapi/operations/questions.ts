import { CONTENT_TYPES } from '../../../query/format.ts'
import type { Json } from '../json-schema.ts'
import { jsonReply, refusal, textReply } from '../operation.ts'
import type { Example, Operation } from '../operation.ts'
import { DAU_PARAMETERS, RETENTION_PARAMETERS, TOP_EVENTS_PARAMETERS } from '../parameters.ts'
import { ref } from '../schemas.ts'
import { WHEN_ASKING } from '../situations.ts'
import { RANGE, read } from './example-events.ts'

/** `/stats/*` and `/tiers`. */

const text = { type: 'string' }

const missingDay: Pick<Example, 'status' | 'reply'> = refusal(
  'invalid_parameter',
  'to is required, as YYYY-MM-DD',
  {
    errors: [{ path: 'to', message: 'is required, as YYYY-MM-DD' }],
  },
)

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
        description:
          'The answer over both tiers. It includes every event acknowledged before the query started.',
        content: {
          'application/json': ref(answer),
          [CONTENT_TYPES.csv]: {
            ...text,
            description: 'The entries of `data`, after a header row. Null is an empty cell.',
          },
        },
      },
    },
    problems: WHEN_ASKING,
  }
}

export const getDau = question({
  id: 'getDailyActiveUsers',
  summary: 'Daily active users',
  description:
    'One entry for each day of the range, both ends included; 0 for days without users, null for days to come.',
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
      summary: 'One country, as CSV',
      path: `/stats/dau?${RANGE}&properties.country=PL&format=csv`,
      ...textReply(
        CONTENT_TYPES.csv,
        'date,dau,incomplete\r\n2025-08-01,1,\r\n2025-08-02,1,\r\n2025-08-03,0,\r\n',
      ),
    },
    dau_without_to: { summary: 'A missing parameter', path: '/stats/dau?from=2025-08-01', ...missingDay },
  },
})

export const getTopEvents = question({
  id: 'getTopEvents',
  summary: 'Most frequent event types',
  description: 'Ordered by count, then by name.',
  parameters: TOP_EVENTS_PARAMETERS,
  answer: 'TopEvents',
  examples: {
    top_events: {
      summary: 'One user',
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
      summary: 'A missing parameter',
      path: '/stats/top-events?from=2025-08-01',
      ...missingDay,
    },
  },
})

export const getRetention = question({
  id: 'getRetention',
  summary: 'Retention of a cohort',
  description:
    'How many users active in window 0 were active again in each later window; null for windows to come.',
  parameters: RETENTION_PARAMETERS,
  answer: 'Retention',
  examples: {
    retention: {
      summary: 'One day later',
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
      summary: 'One week later, as CSV',
      path: '/stats/retention?start_date=2025-08-01&windows=1&window=week&format=csv',
      ...textReply(
        CONTENT_TYPES.csv,
        'window,from,to,users,rate,cohort_size,incomplete\r\n1,2025-08-08,2025-08-14,0,0,4,\r\n',
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
  summary: 'Contents of the hot and cold tiers',
  replies: {
    200: {
      description: 'Number of events, files and bytes, by tier and day.',
      content: { 'application/json': ref('Tiers') },
    },
  },
  problems: WHEN_ASKING,
  examples: {
    tiers: {
      summary: 'All events are hot',
      ...jsonReply({ hot: { events: 11, days: 2 }, cold: { events: 0, files: 0, bytes: 0, days: [] } }),
    },
  },
}
