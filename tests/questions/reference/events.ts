import type { Asked } from '../../../src/questions/parts/asked.ts'
import type { Filter, Test, Value } from '../../../src/filter/tree.ts'

/** Definitions in plain TypeScript: the events that a question is about. */

export interface PlainEvent {
  event_id: string
  at_us: number
  user_id: string
  event_type: string
  properties: Record<string, unknown>
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** `2025-08-01T13:45:00+02:00` in a zone, to the second. */
export function localTime(zone: string, at_us: number): string {
  let format = formats.get(zone)
  if (format === undefined) {
    const part = '2-digit'
    format = new Intl.DateTimeFormat('sv', {
      timeZone: zone,
      year: 'numeric',
      month: part,
      day: part,
      hour: part,
      minute: part,
      second: part,
      timeZoneName: 'longOffset',
    })
    formats.set(zone, format)
  }
  const [date, time, offset] = format.format(Math.floor(at_us / 1_000)).split(' ')
  return `${date}T${time}${offset === 'GMT' ? '+00:00' : offset!.replace('GMT', '').replace('−', '-')}`
}

export const localDate = (zone: string, at_us: number) => localTime(zone, at_us).slice(0, 10)

/** Days since 1970 of `2025-08-01`, and back. */
export const dayOf = (date: string) => Date.parse(date) / 86_400_000
export const dateOf = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)

/** Events of the local days asked for that the filter lets through. */
export function eventsOf(events: readonly PlainEvent[], asked: Asked, days = asked.days): PlainEvent[] {
  return events.filter((event) => {
    const day = dayOf(localDate(asked.zone.zone, event.at_us))
    return day >= days.from && day <= days.to && (asked.filter === null || passes(asked.filter, event))
  })
}

export function passes(filter: Filter, event: PlainEvent): boolean {
  if ('and' in filter) return filter.and.every((part) => passes(part, event))
  if ('or' in filter) return filter.or.some((part) => passes(part, event))
  return 'not' in filter ? !passes(filter.not, event) : holds(filter, event)
}

/** A value of an event; undefined where it has none. */
export function valueOf(field: Test['field'], event: PlainEvent): unknown {
  if (typeof field === 'string') return event[field]
  const nested = field.reduce<unknown>(
    (value, key) => (isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined),
    event.properties,
  )
  const joined = field.join('.')
  return nested === undefined && Object.hasOwn(event.properties, joined) ? event.properties[joined] : nested
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As text, as `group_by` and comparisons with text see it; null where there is none. */
export function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function holds({ field, op, values }: Test, event: PlainEvent): boolean {
  const value = valueOf(field, event)
  const [first] = values
  switch (op) {
    case 'exists':
      return value !== undefined
    case '=':
    case 'in':
      return [value, ...(Array.isArray(value) ? value : [])].some((each) =>
        values.some((wanted) => equals(each, wanted)),
      )
    case 'contains':
      return typeof value === 'string' && value.includes(first!.text)
    case 'starts_with':
      return typeof value === 'string' && value.startsWith(first!.text)
    case 'ends_with':
      return typeof value === 'string' && value.endsWith(first!.text)
    case 'matches':
      return typeof value === 'string' && new RegExp(first!.text, 'u').test(value)
  }
  if (typeof value !== 'number') return false
  const than = Number(first!.text)
  return { '<': value < than, '<=': value <= than, '>': value > than, '>=': value >= than }[op]
}

function equals(value: unknown, { text, quoted }: Value): boolean {
  if (quoted) return value === text
  if (value === null) return text === 'null'
  if (typeof value === 'number' && /^-?\d/.test(text)) return value === Number(text)
  return textOf(value) === text
}
