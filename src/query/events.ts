import type { Micros } from '../event/time.ts'
import type { Position } from './question.ts'

/** A page of events that were read back. */
export interface EventsPage {
  rows: readonly EventRow[]
  /** Whether there are events behind the last one. */
  more: boolean
  hot_events: number
  cold_events: number
  cold_files: number
}

/** As stored; `properties` is valid JSON text on one line. */
export type EventRow = [
  event_id: string,
  occurred_at_us: Micros,
  user_id: string,
  event_type: string,
  properties: string,
]

/**
 * User, type and properties of one page, so that a page of the largest events does not take hundreds of MiB on its way. A page that would have
 * more ends earlier; a single event always fits.
 */
export const EVENTS_BYTES_MAX = 8 * 1024 * 1024

/**
 * Judges what was read.
 * @param places of the events wanted, and of more where there are more
 * @throws when the rows are not the events at those places, or are damaged: never a page with a gap
 */
export function pageOf(
  rows: readonly EventRow[],
  places: readonly Position[],
): Pick<EventsPage, 'rows' | 'more'> {
  for (const [i, [event_id, at_us]] of rows.entries()) {
    if (places[i]?.event_id !== event_id || places[i]?.at_us !== at_us) {
      throw new Error('the events read are not those that were found')
    }
  }
  if (rows.length === 0 && places.length > 0) throw new Error('the events found could not be read')
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
 * The text itself is given out, because parsing it would change numbers beyond 2^53 and keys that stand twice. So it must be JSON for certain:
 * a text that is none would break the reply around it.
 */
function checkProperties(event_id: string, text: string): string {
  try {
    JSON.parse(text)
  } catch {
    // Without the parser's message, which quotes the text.
    throw new Error(`the stored properties of event ${event_id} are not JSON`)
  }
  // Within JSON text a line can only break between two tokens.
  return text.replaceAll(/[\r\n]/g, ' ')
}
