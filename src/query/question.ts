import type { Micros } from '../event/time.ts'
import type { Filter } from '../filter/tree.ts'
import type { Days } from '../questions/parts/asked.ts'

/** Questions for events as plain data: they are posted to the query thread. Those of `../questions` are their own. */

/**
 * The position of an event in the order of pages: newest first, then by descending id. Compaction
 * does not change it.
 */
export interface Position {
  at_us: Micros
  event_id: string
}

/** A question for events, newest first. */
export interface EventsQuestion extends Days {
  /** Null: all events. */
  filter: Filter | null
  limit: number
  /** Only events after this position, so older ones; null for the first page. */
  after: Position | null
}

/** What was read to answer a question. */
export interface Meta {
  hot_events: number
  cold_events: number
  cold_files: number
  /** Of a question; pages of events are always read. */
  answered_from?: 'sets' | 'events'
  took_ms: number
}
