/** Days as numbers and dates, and local times, for what tests expect: none of it is the code of the service. */

/** Days since 1970 of `2025-08-01`, whatever follows it. */
export const dayOf = (date: string) => Date.parse(date.slice(0, 10)) / 86_400_000
export const dateOf = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)

const formats = new Map<string, Intl.DateTimeFormat>()

/** `2025-08-01T13:45:00+02:00` of an instant. */
export function localTime(zone: string, at_us: number): string {
  const format =
    formats.get(zone) ?? new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' })
  formats.set(zone, format)
  const at_ms = Math.floor(at_us / 1_000)
  // Of UTC some versions write no offset.
  const offset = /[+-][\d:]+$/.exec(format.format(at_ms))?.[0] ?? '+00:00'
  const offset_ms = -Date.parse(`1970-01-01T00:00:00${offset}`)
  return `${new Date(at_ms + offset_ms).toISOString().slice(0, 19)}${offset}`
}
