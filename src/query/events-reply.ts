import { writeCsvRow } from '../event/csv-row.ts'
import { formatInstant } from '../event/time.ts'
import { writeCursor } from './cursor.ts'
import type { EventRow, EventsPage } from './events.ts'
import type { Format } from './format.ts'
import type { EventsQuestion, Meta } from './question.ts'

/** Renders pages of events. */

export const EVENTS_FORMATS = ['json', 'ndjson', 'csv'] as const satisfies readonly Format[]
export type EventsFormat = (typeof EVENTS_FORMATS)[number]

/** The columns of an import, so that the reply can be imported again. */
const CSV_HEADER = writeCsvRow(['event_id', 'occurred_at', 'user_id', 'event_type', 'properties_json'])

/** Returns the cursor of the next page; null on the last page. */
export function nextCursor({ rows, more }: EventsPage, question: EventsQuestion): string | null {
  const last = rows.at(-1)
  return more && last !== undefined ? writeCursor({ event_id: last[0], at_us: last[1] }, question) : null
}

export function renderEvents(
  format: EventsFormat,
  rows: readonly EventRow[],
  next_cursor: string | null,
  meta: Meta,
): string {
  switch (format) {
    case 'json':
      return `{"data":[${rows.map(jsonOf).join(',')}],"next_cursor":${JSON.stringify(next_cursor)},"meta":${JSON.stringify(meta)}}`
    case 'ndjson':
      return rows.map((row) => `${jsonOf(row)}\n`).join('')
    case 'csv':
      return CSV_HEADER + rows.map(csvOf).join('')
  }
}

function jsonOf([event_id, at_us, user_id, event_type, properties]: EventRow): string {
  const user = JSON.stringify(user_id)
  const type = JSON.stringify(event_type)
  return `{"event_id":"${event_id}","occurred_at":"${formatInstant(at_us)}","user_id":${user},"event_type":${type},"properties":${properties}}`
}

function csvOf([event_id, at_us, user_id, event_type, properties]: EventRow): string {
  return writeCsvRow([event_id, formatInstant(at_us), user_id, event_type, properties])
}

/**
 * Returns a Link header (RFC 8288): the same URL with the next cursor, relative to the URL of the
 * request.
 */
export function nextLink(url: string, cursor: string): string {
  const { pathname, search } = new URL(url)
  const others = search.slice(1).split('&')
  const kept = others.filter((pair) => pair !== '' && !new URLSearchParams(pair).has('cursor'))
  return `<${pathname}?${[...kept, `cursor=${cursor}`].join('&')}>; rel="next"`
}
