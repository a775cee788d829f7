import * as v from 'valibot'
import type { State } from '../../calendar/interval.ts'
import type { Day } from '../../event/time.ts'
import type { Field, Filter } from '../../filter/tree.ts'
import type { Asked, Days } from './asked.ts'

/** The windows of retention, as local days. */

export const WINDOWS = ['day', 'week', 'month', '24h'] as const
/** A window of 24 hours begins within a day, so that the last ends a day later. */
const WINDOW_DAYS = { day: 1, week: 7, '24h': 1 } as const

export interface RetentionParameters {
  start_date: Day
  windows: number
  window: (typeof WINDOWS)[number]
  kind: 'n-day' | 'unbounded' | 'bracket'
  brackets?: readonly number[] | undefined
  cohort: 'active' | 'first'
  start?: Filter | undefined
  return?: Filter | undefined
  cohorts: number
  group_by?: readonly Field[] | undefined
  groups: number
}

const BRACKETS_MAX = 20
const BRACKETS_FAULT = `must be up to ${BRACKETS_MAX} growing numbers of windows, such as 1,3,7,30`

export const brackets = v.pipe(
  v.string(),
  v.metadata({ json_schema: { type: 'string' } }),
  v.regex(/^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/, BRACKETS_FAULT),
  v.transform((text) => text.split(',').map(Number)),
  v.maxLength(BRACKETS_MAX, BRACKETS_FAULT),
  v.check((ends) => ends.every((end, i) => i === 0 || end > ends[i - 1]!), BRACKETS_FAULT),
)

/** The first day of a window, counted from that of the first cohort. A month later is the same day of the next month, or its last. */
export function startOf({ start_date, window }: RetentionParameters, i: number): Day {
  if (window !== 'month') return start_date + i * WINDOW_DAYS[window]
  const date = new Date(start_date * 86_400_000)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + i]
  const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(date.getUTCDate(), last)) / 86_400_000
}

/** The first and the last window that an entry is about, counted from the cohort's. */
export function offsetsOf(
  { kind, brackets: ends, windows }: RetentionParameters,
  entry: number,
): [number, number] {
  if (kind === 'bracket') return [(ends![entry - 2] ?? 0) + 1, ends![entry - 1]!]
  return kind === 'unbounded' ? [entry, windows] : [entry, entry]
}

/** The days that are read: all before, too, if only they tell who is new. */
export function daysRead({
  parameters: p,
  days,
}: Pick<Asked<RetentionParameters>, 'parameters' | 'days'>): Days {
  return { from: p.cohort === 'first' ? 0 : days.from, to: days.to + (p.window === '24h' ? 2 : 0) }
}

export function stateOf(from: Day, to: Day, today: Day): State {
  return from > today ? 'future' : to >= today ? 'incomplete' : 'complete'
}
