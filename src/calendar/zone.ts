import { MICROS_PER_DAY, MICROS_PER_MS } from '../event/time.ts'
import type { Day, Micros } from '../event/time.ts'

/** Time zones by their IANA names, from the data that comes with Node. */

export const UTC = 'UTC'

/** From `from_us` on, local time is UTC plus `offset_us`. */
export interface Offset {
  from_us: Micros
  offset_us: Micros
}

const formats = new Map<string, Intl.DateTimeFormat>()
/** More than there are; only names that exist are kept. */
const ZONES_KEPT_MAX = 1_000
const NAME_CHARS_MAX = 64

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      era: 'short',
    })
    if (formats.size < ZONES_KEPT_MAX) formats.set(zone, format)
  }
  return format
}

/** Whether there is a zone of this name; `+02:00` and the like are none. */
export function isZone(name: string): boolean {
  if (name.length > NAME_CHARS_MAX || !/^[A-Za-z]/.test(name)) return false
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}

/** How far local time is ahead of UTC at an instant. */
export function offsetAt(zone: string, at_us: Micros): Micros {
  if (zone === UTC) return 0
  const at_ms = Math.floor(at_us / MICROS_PER_MS)
  const parts = new Map(
    formatOf(zone)
      .formatToParts(at_ms)
      .map(({ type, value }) => [type, value]),
  )
  const part = (name: Intl.DateTimeFormatPartTypes) => Number(parts.get(name))
  const local_ms = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
  return (local_ms - Math.floor(at_ms / 1_000) * 1_000) * MICROS_PER_MS
}

/** No zone changes its offset twice within so long a time and back to what it was. */
const STEP_US = 7 * MICROS_PER_DAY
const SECOND_US = 1_000_000

/**
 * All offsets of a zone between two instants, in order.
 * @returns at least one; that of the first is from `from_us` or before
 */
export function offsetsBetween(zone: string, from_us: Micros, to_us: Micros): Offset[] {
  const offsets = [{ from_us, offset_us: offsetAt(zone, from_us) }]
  if (zone === UTC) return offsets
  for (let at = from_us; at < to_us; at += STEP_US) {
    const end = Math.min(at + STEP_US, to_us)
    const before = offsets.at(-1)!.offset_us
    const after = offsetAt(zone, end)
    if (after !== before) offsets.push({ from_us: changeBetween(zone, at, end, before), offset_us: after })
  }
  return offsets
}

/** The second from which the offset is no longer `before`. */
function changeBetween(zone: string, from_us: Micros, to_us: Micros, before: Micros): Micros {
  let low = Math.floor(from_us / SECOND_US)
  let high = Math.ceil(to_us / SECOND_US)
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(zone, middle * SECOND_US) === before) low = middle
    else high = middle
  }
  return high * SECOND_US
}

/** The calendar day in a zone. */
export function localDayOf(zone: string, at_us: Micros): Day {
  return Math.floor((at_us + offsetAt(zone, at_us)) / MICROS_PER_DAY)
}
