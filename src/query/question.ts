import type { Day, Micros } from '../event/time.ts'

/** What can be asked, as plain data: it crosses to the query thread and means the same to every engine. */

export type Window = 'day' | 'week'

export const WINDOW_DAYS = { day: 1, week: 7 } as const satisfies Record<Window, number>

/** One condition: the field has one of the values. All segments of a question must hold. */
export interface Segment {
  field: 'event_type' | 'user_id' | { property: string }
  values: readonly string[]
}

interface Range {
  from: Day
  /** Included. */
  to: Day
  segments: readonly Segment[]
}

export type Question =
  | ({ kind: 'dau' } & Range)
  | ({ kind: 'top_events'; limit: number } & Range)
  | {
      kind: 'retention'
      start: Day
      /** Windows after the cohort's own. */
      windows: number
      window: Window
      segments: readonly Segment[]
    }

/** The place of an event in the order of reading: newest first, and among equal times the highest id first. Compaction does not change it. */
export interface Position {
  at_us: Micros
  event_id: string
}

/** Events themselves, newest first. */
export interface EventsQuestion extends Range {
  limit: number
  /** Only events behind this place. */
  after: Position | null
}

/** What was read for an answer. */
export interface Meta {
  hot_events: number
  cold_events: number
  cold_files: number
  took_ms: number
}

/** The days that a question is about, both ends included. */
export function daysAskedFor(question: Question): { from: Day; to: Day } {
  if (question.kind !== 'retention') return { from: question.from, to: question.to }
  const length = WINDOW_DAYS[question.window]
  return { from: question.start, to: question.start + (question.windows + 1) * length - 1 }
}
