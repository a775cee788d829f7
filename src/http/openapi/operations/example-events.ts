import { refusal } from '../operation.ts'

/** The events of the examples. Ids and times are fixed, so the replies are too. */

export const eventNumber = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export const BATCH = [
  {
    event_id: eventNumber(0),
    occurred_at: '2025-08-01T06:52:34.123456+03:00',
    user_id: 'anna',
    event_type: 'app_open',
    properties: { country: 'PL' },
  },
  {
    event_id: eventNumber(1),
    occurred_at: '2025-08-02T13:04:15Z',
    user_id: 'anna',
    event_type: 'purchase',
    properties: { country: 'PL', price: 118.64 },
  },
]

export const ONE_EVENT = {
  event_id: eventNumber(2),
  occurred_at: '2025-08-01T08:00:00Z',
  user_id: 'ben',
  event_type: 'app_open',
}

export const GOOD_EVENT = {
  event_id: eventNumber(10),
  occurred_at: '2025-08-02T08:59:00Z',
  user_id: 'ben',
  event_type: 'app_open',
}

export const BAD_EVENT = { ...GOOD_EVENT, event_id: eventNumber(11), occurred_at: 'yesterday' }
export const CORRECTED_EVENT = { ...BAD_EVENT, occurred_at: '2025-08-02T09:00:00Z' }

/** The error of {@link BAD_EVENT}. */
export const INVALID_TIME = {
  event_id: BAD_EVENT.event_id,
  path: 'occurred_at',
  message: 'occurred_at must be an ISO 8601 time, such as 2025-08-21T06:52:34.123456Z',
}

/** The reply if {@link BAD_EVENT} is the only event of the batch. */
export const REFUSED = refusal('invalid_events', '1 of 1 events are invalid; nothing was stored.', {
  received: 1,
  accepted: 0,
  duplicates: 0,
  rejected: 1,
  errors: [{ index: 0, ...INVALID_TIME }],
})

export const textLines = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('')

/** The days of the examples, as query parameters. */
export const RANGE = 'from=2025-08-01&to=2025-08-03'

/** The `meta` of a reply: all events come from the examples of `POST /events` and are still hot. */
export const read = (hot_events: number) => ({ hot_events, cold_events: 0, cold_files: 0, took_ms: 1.5 })
