import { HOUR_US, WEEK_SHIFT_DAYS } from '../calendar/interval.ts'
import type { Unit, Zone } from '../calendar/interval.ts'
import { offsetsBetween, UTC } from '../calendar/zone.ts'
import { MICROS_PER_DAY } from '../event/time.ts'
import type { Day } from '../event/time.ts'

/** Local time of an event, as SQL over its columns `day` (UTC) and `at_us`. The numbers are those of `../calendar/interval.ts`. */

/** The UTC days that local days can reach into. */
export function utcDaysOf({ zone }: Zone, from: Day, to: Day): { from: Day; to: Day } {
  return zone === UTC ? { from, to } : { from: from - 1, to: to + 1 }
}

/**
 * How far local time is ahead of UTC, in µs.
 * @param from first local day of the events, `to` the last
 */
function offset({ zone }: Zone, from: Day, to: Day): string {
  const utc = utcDaysOf({ zone, week_start: 'monday' }, from, to)
  const offsets = offsetsBetween(zone, utc.from * MICROS_PER_DAY, (utc.to + 1) * MICROS_PER_DAY)
  const later = offsets.slice(1).toReversed()
  if (later.length === 0) return `${offsets[0]!.offset_us}`
  const cases = later.map(({ from_us, offset_us }) => `WHEN at_us >= ${from_us} THEN ${offset_us}`)
  return `(CASE ${cases.join(' ')} ELSE ${offsets[0]!.offset_us} END)`
}

/** The local day, as BIGINT days since 1970. */
export function localDay(zone: Zone, from: Day, to: Day): string {
  if (zone.zone === UTC) return `(day - DATE '1970-01-01')`
  return floorDivide(`(at_us + ${offset(zone, from, to)})`, MICROS_PER_DAY)
}

/** The number of the local interval, BIGINT. */
export function intervalNumber(unit: Unit, zone: Zone, from: Day, to: Day): string {
  const day = localDay(zone, from, to)
  switch (unit) {
    case 'hour': {
      const ahead = offset(zone, from, to)
      return `(${floorDivide(`(at_us + ${ahead})`, HOUR_US)} * ${HOUR_US} - ${ahead})`
    }
    case 'day':
      return day
    case 'week':
      return floorDivide(`(${day} + ${WEEK_SHIFT_DAYS[zone.week_start]})`, 7)
    case 'month':
      return `date_diff('month', DATE '1970-01-01', DATE '1970-01-01' + (${day})::INTEGER)`
  }
}

/** DuckDB's `//` rounds towards zero; in 1970, local time may be a day before the epoch. */
function floorDivide(expression: string, divisor: number): string {
  return `((${expression} + ${divisor}) // ${divisor} - 1)`
}
