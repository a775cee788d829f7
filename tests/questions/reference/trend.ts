import type { Asked } from '../../../src/questions/parts/asked.ts'
import type { Unit } from '../../../src/calendar/interval.ts'
import type { Field } from '../../../src/filter/tree.ts'
import type { Measure } from '../../../src/questions/parts/measure.ts'
import { printField } from '../../../src/filter/print.ts'
import { dateOf, eventsOf, textOf, valueOf } from './events.ts'
import type { PlainEvent } from './events.ts'
import { labelOf, labelsOf, unlessFuture } from './intervals.ts'

export interface TrendParameters {
  interval: Unit
  measure: Measure
  compare?: 'previous'
  group_by?: readonly Field[]
  groups: number
}

export function trend(events: readonly PlainEvent[], asked: Asked): object {
  const p = asked.parameters as TrendParameters
  const { from, to } = asked.days
  const times = labelsOf(p.interval, asked)
  const before = daysBefore(asked, times.length)
  const now = eventsOf(events, asked)
  const earlier = p.compare === undefined ? [] : eventsOf(events, asked, before)
  const series = groupsOf(
    now,
    earlier,
    p.group_by ?? [],
    p.groups,
    (some) => measureOf(p.measure, some) ?? -Infinity,
  )
  const valuesOf = (some: readonly PlainEvent[], labels: readonly string[]) =>
    labels.map((label) =>
      unlessFuture(
        p.interval,
        asked,
        label,
        measureOf(
          p.measure,
          some.filter(({ at_us }) => labelOf(p.interval, asked, at_us) === label),
        ),
      ),
    )
  return {
    from: dateOf(from),
    to: dateOf(to),
    interval: p.interval,
    measure: p.measure.text,
    times,
    incomplete: times.filter((label) => label === labelOf(p.interval, asked, asked.now_us)),
    series: series.map(({ group, now: some, earlier: others }) => ({
      group,
      values: valuesOf(some, times),
      total: measureOf(p.measure, some),
      ...(p.compare === undefined
        ? {}
        : {
            previous: times.map((_, i) => valuesOf(others, labelsOf(p.interval, asked, before))[i] ?? null),
            previous_total: measureOf(p.measure, others),
          }),
    })),
  }
}

/** As many intervals before the range. */
function daysBefore({ days: { from, to }, parameters }: Asked, count: number): { from: number; to: number } {
  const { interval } = parameters as TrendParameters
  if (interval === 'week') return { from: from - 7 * count, to: to - 7 * count }
  if (interval !== 'month') return { from: from - (to - from + 1), to: from - 1 }
  const back = (day: number) => {
    const date = new Date(dateOf(day))
    const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - count + 1, 0)).getUTCDate()
    const of_month = Math.min(date.getUTCDate(), last)
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - count, of_month) / 86_400_000
  }
  return { from: back(from), to: back(to) }
}

/** The largest groups, largest first, and the rest as `other`. */
export function groupsOf(
  now: readonly PlainEvent[],
  earlier: readonly PlainEvent[],
  fields: readonly Field[],
  groups: number,
  size: (events: readonly PlainEvent[]) => number,
) {
  if (fields.length === 0) return [{ group: {}, now, earlier }]
  const keyOf = (event: PlainEvent) => JSON.stringify(fields.map((field) => textOf(valueOf(field, event))))
  const keys = [...new Set(now.map(keyOf))]
  const sized = keys.map((key) => ({ key, n: size(now.filter((event) => keyOf(event) === key)) }))
  const ordered = sized.toSorted((a, b) => b.n - a.n || compareKeys(a.key, b.key))
  const named = (values: readonly (string | null)[]) =>
    Object.fromEntries(fields.map((field, i) => [printField(field), values[i] ?? null]))
  const kept = ordered.slice(0, groups).map(({ key }) => key)
  const result = kept.map((key) => ({
    group: named(JSON.parse(key) as string[]),
    now: now.filter((event) => keyOf(event) === key),
    earlier: earlier.filter((event) => keyOf(event) === key),
  }))
  const is_rest = (event: PlainEvent) => !kept.includes(keyOf(event))
  const rest = { now: now.filter(is_rest), earlier: earlier.filter(is_rest) }
  if (rest.now.length + rest.earlier.length === 0) return result
  return [...result, { group: named(fields.map(() => 'other')), ...rest }]
}

/** By their values from left to right, null last. */
function compareKeys(a: string, b: string): number {
  const [left, right] = [JSON.parse(a), JSON.parse(b)] as (string | null)[][]
  for (const [i, value] of left!.entries()) {
    const other = right![i]!
    if (value === other) continue
    if (value === null || other === null) return value === null ? 1 : -1
    return value < other ? -1 : 1
  }
  return 0
}

export function measureOf(measure: Measure, events: readonly PlainEvent[]): number | null {
  const value = exactMeasureOf(measure, events)
  return value === null ? null : Math.round(value * 1e6) / 1e6
}

function exactMeasureOf({ kind, keys }: Measure, events: readonly PlainEvent[]): number | null {
  const users = new Set(events.map(({ user_id }) => user_id)).size
  const numbers = events
    .map((event) => valueOf(keys ?? 'user_id', event))
    .filter((value) => typeof value === 'number')
  const sum = numbers.reduce((a, b) => a + b, 0)
  if (kind === 'events') return events.length
  if (kind === 'users') return users
  if (kind === 'events_per_user') return users === 0 ? null : events.length / users
  if (kind === 'sum') return sum
  if (numbers.length === 0) return null
  if (kind === 'avg') return sum / numbers.length
  if (kind === 'min') return Math.min(...numbers)
  if (kind === 'max') return Math.max(...numbers)
  return quantile(numbers, { p50: 0.5, p90: 0.9, p99: 0.99 }[kind])
}

/** Between the two values that it lies between, in proportion. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return low + (high - low) * (at - Math.floor(at))
}
