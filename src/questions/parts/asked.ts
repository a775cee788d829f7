import type { Zone } from '../../calendar/interval.ts'
import type { Day, Micros } from '../../event/time.ts'
import type { Filter } from '../../filter/tree.ts'

/** A question as it was asked, and the rows that answer it. */

/** Local days, both included. */
export interface Days {
  from: Day
  to: Day
}

/** A question as it was asked: plain data, which is posted to the query thread. */
export interface Asked<P = unknown> {
  /** One of the table. */
  name: string
  parameters: P
  /** The days it is about. */
  days: Days
  zone: Zone
  /** Null: all events. */
  filter: Filter | null
  /** When it arrived: tells what has not begun and what has not ended. */
  now_us: Micros
}

/** A row of a result; big integers do not occur. */
export type Row = readonly (string | number | boolean | null)[]
