import { formatInstant } from '../time.ts'
import { writeCursor } from './cursor.ts'
import type { EventRow, EventsPage } from './events.ts'
import type { EventsQuestion, Meta } from './question.ts'

/** Pages of events as clients get them. */

const MEDIA_TYPES = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
} as const
export const CONTENT_TYPES = { ...MEDIA_TYPES, csv: 'text/csv; charset=utf-8; header=present' } as const
export type EventsFormat = keyof typeof MEDIA_TYPES

/** The import's columns, so that what is read out can be imported again. */
const CSV_HEADER = 'event_id,occurred_at,user_id,event_type,properties_json\r\n'

/** The next page's cursor; null on the last page. */
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
  return `${event_id},${formatInstant(at_us)},${quote(user_id)},${quote(event_type)},${quote(properties)}\r\n`
}

/** RFC 4180. */
function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** RFC 8288: the same question with the next cursor, relative to wherever the client asked it. */
export function nextLink(url: string, cursor: string): string {
  const { pathname, search } = new URL(url)
  const others = search.slice(1).split('&')
  const kept = others.filter((pair) => pair !== '' && !new URLSearchParams(pair).has('cursor'))
  return `<${pathname}?${[...kept, `cursor=${cursor}`].join('&')}>; rel="next"`
}

/** The format of which `Accept` says that it is wanted most; JSON where it names none of them. */
export function acceptedFormat(accept: string | undefined): EventsFormat {
  let best: EventsFormat = 'json'
  let best_q = 0
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    const format = FORMATS.find((name) => type === MEDIA_TYPES[name] || (name === 'json' && type === '*/*'))
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    const q = /^[01](\.\d{0,3})?$/.test(weight) ? Number(weight) : 0
    if (format !== undefined && q > best_q) {
      best = format
      best_q = q
    }
  }
  return best
}

const FORMATS = Object.keys(MEDIA_TYPES) as EventsFormat[]
