import { MICROS_PER_DAY } from '../src/event/time.ts'
import type { Day, Micros } from '../src/event/time.ts'

/** A day with more files than this is merged. Queries then open few files, and rewrites stay rare. */
export const FILES_PER_DAY_MAX = 4

export interface DayState {
  day: Day
  /** Its hot rows; a few more than are visible where an earlier run was interrupted. */
  rows: number
  /** Highest seq of its hot rows; 0 if it has none. */
  newest_seq: number
  sealed_through: number
  cold_files: number
}

export interface Step {
  day: Day
  /** About as many as are moved. */
  rows: number
  /** Move the day's visible hot rows into a new cold file. */
  seal: boolean
  /** Then rewrite all files of the day as one. */
  merge: boolean
}

/**
 * A day is closed when `hot_days` whole days have passed since its end. Events of a closed day are still
 * accepted; they stay in hot until the next run.
 */
export function isClosed(day: Day, now_us: Micros, hot_days: number): boolean {
  return now_us >= (day + 1 + hot_days) * MICROS_PER_DAY
}

/** Plans the steps of a run, oldest day first. Pure: no clock, no disk, no database. */
export function planCompaction(days: readonly DayState[], now_us: Micros, hot_days: number): Step[] {
  return days
    .filter(({ day }) => isClosed(day, now_us, hot_days))
    .map(({ day, rows, newest_seq, sealed_through, cold_files }) => {
      const seal = newest_seq > sealed_through
      return { day, rows, seal, merge: cold_files + (seal ? 1 : 0) > FILES_PER_DAY_MAX }
    })
    .filter(({ seal, merge }) => seal || merge)
    .toSorted((a, b) => a.day - b.day)
}
