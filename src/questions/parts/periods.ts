import { firstDayOf, hoursOf, intervalOfDay, intervalsOf } from '../../calendar/interval.ts'
import type { Interval, Unit, Zone } from '../../calendar/interval.ts'
import type { Micros } from '../../event/time.ts'
import type { ProblemEntry } from '../../problem/problem.ts'
import type { Days } from './asked.ts'

/** The intervals of a range of days, and the range before it. */

export function intervalsBetween(unit: Unit, { from, to }: Days, zone: Zone, now_us: Micros): Interval[] {
  return unit === 'hour' ? hoursOf(from, to, zone, now_us) : intervalsOf(unit, from, to, zone, now_us)
}

/** Days of an answer by the hour. */
export const HOURS_DAYS_MAX = 92

export function tooManyHours({ from, to }: Days): ProblemEntry[] {
  if (to - from < HOURS_DAYS_MAX) return []
  return [{ path: 'to', message: `the range may have at most ${HOURS_DAYS_MAX} days of hours` }]
}

/** As many intervals before: days and weeks by their length, months by the calendar. */
export function previousOf({ from, to }: Days, unit: Unit, { week_start }: Zone): Days {
  if (unit === 'hour' || unit === 'day') return { from: 2 * from - to - 1, to: from - 1 }
  const count = intervalOfDay(unit, to, week_start) - intervalOfDay(unit, from, week_start) + 1
  if (unit === 'week') return { from: from - 7 * count, to: to - 7 * count }
  const shifted = (day: number) => {
    const month = intervalOfDay('month', day, week_start)
    const first = firstDayOf('month', month, week_start)
    const last = firstDayOf('month', month - count + 1, week_start) - 1
    return Math.min(firstDayOf('month', month - count, week_start) + day - first, last)
  }
  return { from: shifted(from), to: shifted(to) }
}
