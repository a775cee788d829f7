import type { Asked } from '../../../src/questions/parts/asked.ts'
import type { Unit } from '../../../src/calendar/interval.ts'
import { dateOf, dayOf, localTime } from './events.ts'

/** The label of the interval that an instant belongs to. */
export function labelOf(unit: Unit, { zone }: Pick<Asked, 'zone'>, at_us: number): string {
  const time = localTime(zone.zone, at_us)
  return unit === 'hour'
    ? `${time.slice(0, 13)}:00:00${time.slice(19)}`
    : dayLabel(unit, zone.week_start, time.slice(0, 10))
}

function dayLabel(unit: Unit, week_start: string, date: string): string {
  if (unit === 'month') return `${date.slice(0, 7)}-01`
  if (unit === 'day') return date
  const weekday = new Date(date).getUTCDay()
  return dateOf(dayOf(date) - (week_start === 'sunday' ? weekday : (weekday + 6) % 7))
}

const QUARTER_US = 900_000_000

/** The labels of the intervals of local days, in order. */
export function labelsOf(unit: Unit, asked: Asked, { from, to } = asked.days): string[] {
  const labels = new Set<string>()
  if (unit !== 'hour') {
    for (let day = from; day <= to; day += 1) labels.add(dayLabel(unit, asked.zone.week_start, dateOf(day)))
    return [...labels]
  }
  for (let at = (from - 1) * 86_400_000_000; at < (to + 2) * 86_400_000_000; at += QUARTER_US) {
    const label = labelOf(unit, asked, at)
    if (label >= dateOf(from) && label < dateOf(to + 1)) labels.add(label)
  }
  return [...labels]
}

/** null where the interval has not begun, the value otherwise. */
export function unlessFuture<T>(unit: Unit, asked: Asked, label: string, value: T): T | null {
  const now = labelOf(unit, asked, asked.now_us)
  return isAfter(label, now) ? null : value
}

/** Whether an interval comes after another; hours by instant, since a clock may be set back. */
export function isAfter(label: string, other: string): boolean {
  return label.length > 10 ? Date.parse(label) > Date.parse(other) : label > other
}
