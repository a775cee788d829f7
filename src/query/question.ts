import type { Day, Micros } from '../event/time.ts'

/** Questions as plain data, independent of the engine: they are posted to the query thread. */

export type Window = 'day' | 'week'

export const WINDOW_DAYS = { day: 1, week: 7 } as const satisfies Record<Window, number>

/** A filter: the field has one of the values. All segments of a question must match. */
export interface Segment {
  field: 'event_type' | 'user_id' | { property: string }
  values: readonly string[]
}

interface Range {
  from: Day
  /** Inclusive. */
  to: Day
  segments: readonly Segment[]
}

export type Question =
  | ({ kind: 'dau' } & Range)
  | ({ kind: 'top_events'; limit: number } & Range)
  | {
      kind: 'retention'
      start: Day
      /** Number of windows after window 0, the cohort's. */
      windows: number
      window: Window
      segments: readonly Segment[]
    }

/**
 * The position of an event in the order of pages: newest first, then by descending id. Compaction
 * does not change it.
 */
export interface Position {
  at_us: Micros
  event_id: string
}

/** A question for events, newest first. */
export interface EventsQuestion extends Range {
  limit: number
  /** Only events after this position, so older ones; null for the first page. */
  after: Position | null
}

/** What was read to answer a question. */
export interface Meta {
  hot_events: number
  cold_events: number
  cold_files: number
  took_ms: number
}

/** Returns the days of a question, both ends included. */
export function daysAskedFor(question: Question): { from: Day; to: Day } {
  if (question.kind !== 'retention') return { from: question.from, to: question.to }
  const length = WINDOW_DAYS[question.window]
  return { from: question.start, to: question.start + (question.windows + 1) * length - 1 }
}
