import type { SampleEvent } from './sample.ts'

/**
 * The three questions over a plain Map, written from the contract alone: it shares no code with the service, so that the same
 * mistake cannot stand on both sides.
 */

export interface Condition {
  /** `event_type`, `user_id`, or `properties.<key>`. */
  field: string
  values: string[]
}

export interface Range {
  from: string
  to: string
  conditions: Condition[]
}

export interface Reference {
  /** Takes valid events in the order of the batch. The first copy of an id wins. */
  store(events: readonly SampleEvent[]): { accepted: number; duplicates: number }
  /** Events of the days from `from` to `to`, whatever the conditions. */
  count(from: string, to: string): number
  dau(range: Range): unknown
  topEvents(range: Range, limit: number): unknown
  retention(start_date: string, window: 'day' | 'week', windows: number, conditions: Condition[]): unknown
  /** As they are read back: newest first, among equal times the highest id first. */
  events(range: Range): SampleEvent[]
}

export function createReference(): Reference {
  const stored = new Map<string, SampleEvent & { date: string }>()

  function select({ from, to, conditions }: Range) {
    return [...stored.values()].filter(
      (event) =>
        event.date >= from && event.date <= to && conditions.every((condition) => holds(event, condition)),
    )
  }

  return {
    store(events) {
      let accepted = 0
      for (const event of events) {
        const id = event.event_id.toLowerCase()
        if (stored.has(id)) continue
        stored.set(id, { ...event, date: dateOf(event.occurred_at) })
        accepted += 1
      }
      return { accepted, duplicates: events.length - accepted }
    },
    count: (from, to) => select({ from, to, conditions: [] }).length,
    dau(range) {
      const data = []
      const events = select(range)
      for (let date = range.from; date <= range.to; date = addDays(date, 1)) {
        data.push({ date, dau: usersOf(events, date, date).size })
      }
      return { from: range.from, to: range.to, data }
    },
    topEvents(range, limit) {
      const counts = new Map<string, number>()
      for (const { event_type } of select(range)) counts.set(event_type, (counts.get(event_type) ?? 0) + 1)
      const data = [...counts].map(([event_type, count]) => ({ event_type, count }))
      data.sort((a, b) => b.count - a.count || compareBytes(a.event_type, b.event_type))
      return { from: range.from, to: range.to, limit, data: data.slice(0, limit) }
    },
    retention(start_date, window, windows, conditions) {
      const length = window === 'day' ? 1 : 7
      const begin = (n: number) => addDays(start_date, n * length)
      const end = (n: number) => addDays(start_date, (n + 1) * length - 1)
      const events = select({ from: start_date, to: end(windows), conditions })
      const cohort = usersOf(events, start_date, end(0))
      const data = []
      for (let n = 1; n <= windows; n += 1) {
        const users = [...usersOf(events, begin(n), end(n))].filter((user) => cohort.has(user)).length
        const rate = cohort.size === 0 ? 0 : Number((users / cohort.size).toFixed(4))
        data.push({ window: n, from: begin(n), to: end(n), users, rate })
      }
      return { start_date, window, windows, cohort_size: cohort.size, data }
    },
    events: (range) =>
      select(range)
        .map(({ event_id, occurred_at, user_id, event_type, properties }) => ({
          event_id: event_id.toLowerCase(),
          occurred_at: inUtc(occurred_at),
          user_id: String(user_id),
          event_type,
          properties: JSON.parse(JSON.stringify(properties)) as SampleEvent['properties'],
        }))
        .toSorted((a, b) => compareBytes(`${b.occurred_at} ${b.event_id}`, `${a.occurred_at} ${a.event_id}`)),
  }
}

function usersOf(events: readonly (SampleEvent & { date: string })[], from: string, to: string): Set<string> {
  return new Set(
    events.filter(({ date }) => date >= from && date <= to).map(({ user_id }) => String(user_id)),
  )
}

function holds(event: SampleEvent, { field, values }: Condition): boolean {
  if (field === 'event_type') return values.includes(event.event_type)
  if (field === 'user_id') return values.includes(String(event.user_id))
  const key = field.slice('properties.'.length)
  return Object.hasOwn(event.properties, key) && values.some((v) => sameValue(event.properties[key], v))
}

/** A number is meant by its value, however it is written, a list by each of its elements, everything else by its text. */
function sameValue(value: unknown, asked: string): boolean {
  if (typeof value === 'string') return value === asked
  if (typeof value === 'number') return JSON_NUMBER.test(asked) && Number(asked) === value
  if (Array.isArray(value) && value.some((element) => sameValue(element, asked))) return true
  return JSON.stringify(value) === asked
}

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** The UTC day of an ISO 8601 time; one without an offset is UTC already. */
export function dateOf(occurred_at: string): string {
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(occurred_at) ? occurred_at : `${occurred_at}Z`
  return new Date(zoned).toISOString().slice(0, 10)
}

/** The same instant in UTC with six digits of microseconds. Date keeps three, so the digits are taken from the text. */
function inUtc(occurred_at: string): string {
  const [, fraction = ''] = /\.(\d+)/.exec(occurred_at) ?? []
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(occurred_at) ? occurred_at : `${occurred_at}Z`
  return `${new Date(zoned).toISOString().slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`
}

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

/** The order of UTF-8 bytes. JavaScript's own order of strings differs from it beyond the basic plane. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
