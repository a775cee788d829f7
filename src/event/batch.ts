import type { Event } from './event.ts'
import { ID_BYTES, writeEventId } from './id.ts'

/**
 * Events as columns, the form in which they are sent to the writer thread. Ids and times are two buffers
 * that are transferred, and the strings are one array. This costs a third of cloning one object per event.
 */
export interface EventBatch {
  count: number
  /** 16 bytes per event. */
  ids: Uint8Array
  /** Microseconds since 1970, one per event. */
  times: Float64Array
  /** Three per event: user_id, event_type, properties. */
  texts: string[]
}

export const TEXTS_PER_EVENT = 3

/** Packs events into columns, in the same order. */
export function packEvents(events: readonly Event[]): EventBatch {
  const ids = Buffer.from(new ArrayBuffer(events.length * ID_BYTES))
  const times = new Float64Array(events.length)
  const texts: string[] = []
  for (let i = 0; i < events.length; i += 1) {
    const event = events[i]!
    writeEventId(event.event_id, ids, i * ID_BYTES)
    times[i] = event.occurred_at_us
    texts.push(event.user_id, event.event_type, event.properties)
  }
  return { count: events.length, ids, times, texts }
}
