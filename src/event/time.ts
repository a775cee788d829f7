/**
 * Times and days. An instant is an integer of microseconds since 1970 (UTC), a day an integer of days
 * since 1970. A double holds both exactly until the year 2255, so neither needs a BigInt.
 */
export type Micros = number
export type Day = number

export const MICROS_PER_DAY = 86_400_000_000
export const MICROS_PER_MS = 1_000
const DAYS_MAX = 2_932_896 // 9999-12-31

// ISO 8601 date, optionally with time, fraction and offset.
// All repeats are bounded, so the matching time is bounded.
const ISO =
  /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/

/**
 * Parses an ISO 8601 instant. No offset means UTC; digits beyond microseconds are truncated.
 * @returns microseconds since 1970, or null if the text is not an instant
 */
export function parseInstant(text: string): Micros | null {
  // This runs for every event. The pattern fixes the position of each part, so the digits are read in place without substrings.
  if (!ISO.test(text)) {
    const iso = exportedAsIso(text)
    return iso === null ? null : parseInstant(iso)
  }
  const day = dayFromCivil(digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10))
  if (day === null) return null
  if (text.length === DATE_CHARS) return day * MICROS_PER_DAY
  const hours = digits(text, 11, 13)
  const minutes = digits(text, 14, 16)
  const has_seconds = text.charAt(16) === ':'
  const seconds = has_seconds ? digits(text, 17, 19) : 0
  // A leap second becomes the first second of the next minute, as in POSIX time.
  if (hours > 24 || minutes > 59 || seconds > (minutes === 59 ? 60 : 59)) return null
  let end = has_seconds ? 19 : 16
  let fraction_us = 0
  if (text.charAt(end) === '.' || text.charAt(end) === ',') {
    end += 1
    for (let unit_us = 100_000; isDigit(text, end); end += 1, unit_us = Math.floor(unit_us / 10))
      fraction_us += digits(text, end, end + 1) * unit_us
  }
  // Hour 24 is valid only for midnight at the end of the day.
  if (hours === 24 && (minutes > 0 || seconds > 0 || fraction_us > 0)) return null
  const offset_minutes = parseOffset(text, end)
  if (offset_minutes === null) return null
  return (
    day * MICROS_PER_DAY + ((hours * 60 + minutes - offset_minutes) * 60 + seconds) * 1_000_000 + fraction_us
  )
}

const DATE_CHARS = 10

const SPACED = /^(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) (UTC|GMT|Z|[+-]\d{2}:?\d{2})$/
const BASIC = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}(?::?\d{2})?)?$/

/** Converts other forms of database exports, `2025-07-29 10:00:00 UTC` and `20250303T100000Z`, to ISO 8601's extended form; or null. */
function exportedAsIso(text: string): string | null {
  const spaced = SPACED.exec(text)
  if (spaced !== null) return `${spaced[1]}${/^[A-Z]/.test(spaced[2]!) ? 'Z' : spaced[2]}`
  const [, year, month, day, hours, minutes, seconds, offset = ''] = BASIC.exec(text) ?? []
  if (year === undefined) return null
  return `${year}-${month}-${day}T${hours}:${minutes}${seconds === undefined ? '' : `:${seconds}`}${offset}`
}

/** Whether a text is a date whose day and month may be swapped, such as `10/06/2024`. */
export function isAmbiguousDate(text: string): boolean {
  return /^\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d{2})\b/.test(text)
}

/** Units of a time that is a number since 1970, in microseconds. */
export const EPOCH_UNITS_US = { epoch_s: 1_000_000, epoch_ms: 1_000, epoch_us: 1 } as const
export type EpochFormat = keyof typeof EPOCH_UNITS_US

/** Converts a number of units since 1970 to ISO 8601; null if the text is not a number or its year is after 9999. */
export function epochAsIso(text: string, format: EpochFormat): string | null {
  if (!/^\d{1,16}(\.\d{1,9})?$/.test(text)) return null
  const at_us = Math.round(Number(text) * EPOCH_UNITS_US[format])
  return at_us < (DAYS_MAX + 1) * MICROS_PER_DAY ? formatInstant(at_us) : null
}

/** Parses the offset at the end of the text: none, `Z`, `+02`, `+0200` or `+02:00`. @returns minutes; null if out of range */
function parseOffset(text: string, at: number): number | null {
  if (text.length <= at + 1) return 0
  const hours = digits(text, at + 1, at + 3)
  const minutes = text.length > at + 3 ? digits(text, text.length - 2, text.length) : 0
  if (hours > 23 || minutes > 59) return null
  return (text.charAt(at) === '-' ? -1 : 1) * (hours * 60 + minutes)
}

/** Parses the decimal digits in `[from, to)`. */
function digits(text: string, from: number, to: number): number {
  let n = 0
  for (let at = from; at < to; at += 1) n = n * 10 + text.charCodeAt(at) - ZERO
  return n
}

const ZERO = 0x30

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= ZERO && code <= ZERO + 9
}

const DAYS_PER_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

/**
 * Days since 1970 in the proleptic Gregorian calendar; null if the date does not exist.
 * Years are counted from March, so the leap day is the last day of the year.
 */
function dayFromCivil(year: number, month: number, dayOfMonth: number): Day | null {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const length = month === 2 && leap ? 29 : DAYS_PER_MONTH[month - 1]
  if (length === undefined || dayOfMonth < 1 || dayOfMonth > length) return null
  const y = month <= 2 ? year - 1 : year
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + dayOfMonth - 1
  return 365 * y + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719_468
}

/** Parses `YYYY-MM-DD`; null if the text is not a calendar day. */
export function parseDay(text: string): Day | null {
  const m = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  return m === null ? null : dayFromCivil(Number(m[1]), Number(m[2]), Number(m[3]))
}

/**
 * Formats a day as `YYYY-MM-DD`.
 * @throws {RangeError} if the day is not an integer or out of range
 */
export function formatDay(day: Day): string {
  if (!Number.isInteger(day) || Math.abs(day) > DAYS_MAX) throw new RangeError(`no such day: ${day}`)
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

/** Formats an instant as ISO 8601 in UTC, with six fraction digits. */
export function formatInstant(at_us: Micros): string {
  const second = new Date(Math.floor(at_us / 1_000_000) * 1_000).toISOString().slice(0, 19)
  return `${second}.${String(at_us % 1_000_000).padStart(6, '0')}Z`
}

/** The UTC calendar day of an instant. */
export function dayOf(at_us: Micros): Day {
  return Math.floor(at_us / MICROS_PER_DAY)
}

/** The current time, in steps of a millisecond. */
export function nowMicros(): Micros {
  return Date.now() * MICROS_PER_MS
}
