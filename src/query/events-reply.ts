import { writeCsvRow } from '../event/csv-row.ts'
import { formatInstant } from '../event/time.ts'
import { writeCursor } from './cursor.ts'
import type { EventRow, EventsPage } from './events.ts'
import type { Format } from './format.ts'
import type { EventsQuestion, Meta, Position } from './question.ts'

/**
 * Renders pages of events: the rows in the query thread, because 10,000 of them take a quarter of a second, and
 * the rest in the handler.
 */

export const EVENTS_FORMATS = ['json', 'ndjson', 'csv'] as const satisfies readonly Format[]
export type EventsFormat = (typeof EVENTS_FORMATS)[number]

/** The columns of an import, so that the reply can be imported again. */
const CSV_HEADER = writeCsvRow(['event_id', 'occurred_at', 'user_id', 'event_type', 'properties_json'])

/** A page whose rows are rendered. */
export interface RenderedPage extends Omit<EventsPage, 'rows'> {
  /** UTF-8, without what is around the rows. */
  text: Uint8Array<ArrayBuffer>
  last: Position | null
}

export function renderRows(format: EventsFormat, { rows, ...page }: EventsPage): RenderedPage {
  const last = rows.at(-1)
  return {
    ...page,
    text: new TextEncoder().encode(textOf(format, rows)),
    last: last === undefined ? null : { event_id: last[0], at_us: last[1] },
  }
}

function textOf(format: EventsFormat, rows: readonly EventRow[]): string {
  switch (format) {
    case 'json':
      return rows.map(jsonOf).join(',')
    case 'ndjson':
      return rows.map((row) => `${jsonOf(row)}\n`).join('')
    case 'csv':
      return CSV_HEADER + rows.map(csvOf).join('')
  }
}

/** Returns the cursor of the next page; null on the last page. */
export function nextCursor({ last, more }: RenderedPage, question: EventsQuestion): string | null {
  return more && last !== null ? writeCursor(last, question) : null
}

/** Returns the body of a reply. */
export function renderEvents(
  format: EventsFormat,
  { text }: RenderedPage,
  next_cursor: string | null,
  meta: Meta,
): Uint8Array<ArrayBuffer> {
  if (format !== 'json') return text
  const end = `],"next_cursor":${JSON.stringify(next_cursor)},"meta":${JSON.stringify(meta)}}`
  return Buffer.concat([Buffer.from('{"data":['), text, Buffer.from(end)])
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
