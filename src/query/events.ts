import type { Micros } from '../event/time.ts'
import type { Position } from './question.ts'

/** Pages of events, and the check that a page has no gap. */

/** A page of events. */
export interface EventsPage {
  rows: readonly EventRow[]
  /** Whether there are events after the last one. */
  more: boolean
  hot_events: number
  cold_events: number
  cold_files: number
}

/** A stored event; `properties` is valid JSON text on one line. */
export type EventRow = [
  event_id: string,
  occurred_at_us: Micros,
  user_id: string,
  event_type: string,
  properties: string,
]

/**
 * Limit of user ids, types and properties in one page. A page of 10,000 events of the maximum size
 * would be hundreds of MiB. A page over the limit ends earlier; a single event always fits.
 */
export const EVENTS_BYTES_MAX = 8 * 1024 * 1024

/**
 * Checks the rows of a page against their positions, so that a page never has a gap.
 * @param places positions of the wanted events, and of one more if there is a next page
 * @throws {Error} if the rows are not the events at these positions, or are damaged
 */
export function pageOf(
  rows: readonly EventRow[],
  places: readonly Position[],
): Pick<EventsPage, 'rows' | 'more'> {
  for (const [i, [event_id, at_us]] of rows.entries()) {
    if (places[i]?.event_id !== event_id || places[i]?.at_us !== at_us) {
      throw new Error('the events read are not at the positions found before')
    }
  }
  if (rows.length === 0 && places.length > 0)
    throw new Error('no event could be read at the positions found before')
  const checked = rows.map(([id, at, user, type, properties]): EventRow => [
    id,
    at,
    user,
    type,
    checkProperties(id, properties),
  ])
  return { rows: checked, more: places.length > rows.length }
}

/**
 * Returns the stored text: parsing and serializing it would change numbers beyond 2^53 and
 * duplicate keys. The text is still parsed, because invalid JSON would break the whole reply.
 */
function checkProperties(event_id: string, text: string): string {
  try {
    JSON.parse(text)
  } catch {
    // Without the parser's message, which quotes the text.
    throw new Error(`the stored properties of event ${event_id} are not JSON`)
  }
  // In JSON, raw line breaks occur only between tokens.
  return text.replaceAll(/[\r\n]/g, ' ')
}
