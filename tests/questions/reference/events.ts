import type { Filter, Operator, Test, Value } from '../../../src/filter/tree.ts'
import type { SampleEvent } from '../../support/sample.ts'

export type PlainEvent = Omit<SampleEvent, 'occurred_at'> & { at_us: number; user_id: string }

/** Whether a filter lets an event through. Without a filter every event passes. */
export function passes(filter: Filter | null | undefined, event: PlainEvent): boolean {
  if (filter === null || filter === undefined) return true
  if ('and' in filter) return filter.and.every((part) => passes(part, event))
  if ('or' in filter) return filter.or.some((part) => passes(part, event))
  if ('not' in filter) return !passes(filter.not, event)
  return TESTS[filter.op](valueOf(filter.field, event), filter.values[0]!, filter.values)
}

const TESTS: Record<Operator, (value: unknown, wanted: Value, values: readonly Value[]) => boolean> = {
  exists: (value) => value !== undefined,
  '=': (value, wanted) => [value, ...(Array.isArray(value) ? value : [])].some((one) => equals(one, wanted)),
  in: (value, _, values) => values.some((wanted) => TESTS['='](value, wanted, [])),
  '<': (value, { text }) => typeof value === 'number' && value < Number(text),
  '<=': (value, { text }) => typeof value === 'number' && value <= Number(text),
  '>': (value, { text }) => typeof value === 'number' && value > Number(text),
  '>=': (value, { text }) => typeof value === 'number' && value >= Number(text),
  contains: (value, { text }) => typeof value === 'string' && value.includes(text),
  starts_with: (value, { text }) => typeof value === 'string' && value.startsWith(text),
  ends_with: (value, { text }) => typeof value === 'string' && value.endsWith(text),
  matches: (value, { text }) => typeof value === 'string' && new RegExp(text, 'u').test(value),
}

/** In quotes it is text and equals text alone; bare, it equals what it looks like. */
function equals(value: unknown, { text, quoted }: Value): boolean {
  if (quoted || typeof value === 'string') return value === text
  const is_number = typeof value === 'number' && /^-?\d/.test(text)
  return is_number ? value === Number(text) : JSON.stringify(value) === text
}

/** As groups show it; null where there is none. */
export const textOf = (value: unknown): string | null =>
  typeof value === 'string' || value === null ? value : (JSON.stringify(value) ?? null)

/** Undefined where an event has none. `a.b` is the key `b` of `a`, or else the key `a.b`. */
export function valueOf(field: Test['field'], event: PlainEvent): unknown {
  if (typeof field === 'string') return event[field]
  const inner = field.reduce<unknown>(member, event.properties)
  return inner === undefined ? member(event.properties, field.join('.')) : inner
}

function member(value: unknown, key: string): unknown {
  const has_keys = typeof value === 'object' && value !== null && !Array.isArray(value)
  return has_keys && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
}
