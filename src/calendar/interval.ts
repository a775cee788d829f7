import { formatDay, MICROS_PER_DAY } from '../event/time.ts'
import type { Day, Micros } from '../event/time.ts'
import { localDayOf, offsetsBetween } from './zone.ts'

/** Intervals of local time, each with a number that grows by one. `../sql/time.ts` computes the same numbers of an event. */

export type Unit = 'hour' | 'day' | 'week' | 'month'
export type WeekStart = 'monday' | 'sunday'

/** Which local time a question is asked in. */
export interface Zone {
  zone: string
  week_start: WeekStart
}

export interface Interval {
  /** Hours: since 1970 in local time without changes of the clock; days, weeks, months: since that of 1970-01-01. */
  n: number
  /** `2025-08-01`, of weeks and months their first day; of hours `2025-08-01T13:00:00+02:00`. */
  label: string
  state: State
}

/** Whether it is over: what has not begun has no numbers, and those of what has not ended may still grow. */
export type State = 'future' | 'incomplete' | 'complete'

/** 1970-01-01 was a Thursday. */
export const WEEK_SHIFT_DAYS = { monday: 3, sunday: 4 } as const satisfies Record<WeekStart, number>
export const HOUR_US = 3_600_000_000
const MINUTE_US = 60_000_000

/** The number of the day, week or month that a local day belongs to. */
export function intervalOfDay(unit: Exclude<Unit, 'hour'>, day: Day, week_start: WeekStart): number {
  if (unit === 'day') return day
  if (unit === 'week') return Math.floor((day + WEEK_SHIFT_DAYS[week_start]) / 7)
  const date = new Date(day * 86_400_000)
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
}

/** The first local day of a day, week or month. */
export function firstDayOf(unit: Exclude<Unit, 'hour'>, n: number, week_start: WeekStart): Day {
  if (unit === 'day') return n
  if (unit === 'week') return n * 7 - WEEK_SHIFT_DAYS[week_start]
  return Date.UTC(1970, n, 1) / 86_400_000
}

/** The days, weeks or months that hold the local days from `from` to `to`, both included. */
export function intervalsOf(
  unit: Exclude<Unit, 'hour'>,
  from: Day,
  to: Day,
  { zone, week_start }: Zone,
  now_us: Micros,
): Interval[] {
  const today = localDayOf(zone, now_us)
  const first = intervalOfDay(unit, from, week_start)
  const last = intervalOfDay(unit, to, week_start)
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const n = first + i
    const begin = firstDayOf(unit, n, week_start)
    const end = firstDayOf(unit, n + 1, week_start)
    return {
      n,
      label: formatDay(begin),
      state: begin > today ? 'future' : end > today ? 'incomplete' : 'complete',
    }
  })
}

/**
 * The hours of the local days from `from` to `to`, both included. An hour that the clock passes twice is two.
 * @returns `n` is the instant at which it begins, in µs
 */
export function hoursOf(from: Day, to: Day, { zone }: Zone, now_us: Micros): Interval[] {
  const begin_us = (from - 1) * MICROS_PER_DAY
  const end_us = (to + 2) * MICROS_PER_DAY
  const offsets = offsetsBetween(zone, begin_us, end_us)
  const hours: Interval[] = []
  for (const [i, { from_us, offset_us }] of offsets.entries()) {
    const until_us = offsets[i + 1]?.from_us ?? end_us
    // The clock may change within an hour; what is left of it begins with the change of the clock.
    let at_us = Math.floor((from_us + offset_us) / HOUR_US) * HOUR_US - offset_us
    for (; at_us < until_us; at_us += HOUR_US) {
      const day = Math.floor((at_us + offset_us) / MICROS_PER_DAY)
      if (day < from || day > to || at_us + HOUR_US <= from_us) continue
      const state = at_us > now_us ? 'future' : at_us + HOUR_US > now_us ? 'incomplete' : 'complete'
      hours.push({ n: at_us, label: formatHour(at_us, offset_us), state })
    }
  }
  return hours
}

function twoDigits(n: number): string {
  return String(Math.floor(n)).padStart(2, '0')
}

function formatHour(at_us: Micros, offset_us: Micros): string {
  const local = new Date((at_us + offset_us) / 1_000).toISOString().slice(0, 19)
  const minutes = Math.abs(offset_us) / MINUTE_US
  return `${local}${offset_us < 0 ? '-' : '+'}${twoDigits(minutes / 60)}:${twoDigits(minutes % 60)}`
}
