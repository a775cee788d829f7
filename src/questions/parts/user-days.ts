import { UTC } from '../../calendar/zone.ts'
import type { Day } from '../../event/time.ts'
import type { Filter } from '../../filter/tree.ts'
import type { Asked, Row } from './asked.ts'

/** Who was active on which day, and how often: what some questions can be answered from without reading events. */

/** The events of a question by UTC day: all, or those of its event types together. */
export interface UserDays {
  /** Days with events, in order. */
  readonly active: readonly Day[]
  /** The numbers of users are below. */
  readonly numbers: number
  countUsers(day: Day): number
  /** The numbers of the users of some days, each once, in any order. */
  users(days: readonly Day[]): Uint32Array
  /** Events by type. */
  events(day: Day): ReadonlyMap<string, number>
}

/** How a question is answered from {@link UserDays}. */
export interface FromUserDays<P> {
  /** Whether its parameters ask for no more than they tell. */
  can(parameters: P): boolean
  /** The rows that its SQL would give; the order matters only where that has one. */
  rows(asked: Asked<P>, days: UserDays): Row[]
}

/**
 * The event types that a filter lets through.
 * @returns null for all; undefined if it looks at anything else
 */
export function typesOf(filter: Filter | null): readonly string[] | null | undefined {
  if (filter === null) return null
  if ('not' in filter) return undefined
  if ('and' in filter) return filter.and.length === 1 ? typesOf(filter.and[0]!) : undefined
  if ('or' in filter) {
    const types = filter.or.map(typesOf)
    return types.every((each) => Array.isArray(each)) ? [...new Set(types.flat())] : undefined
  }
  if (filter.field !== 'event_type' || (filter.op !== '=' && filter.op !== 'in')) return undefined
  return [...new Set(filter.values.map(({ text }) => text))]
}

/** Sets are by UTC day. */
export function isByUtcDay({ zone }: Pick<Asked, 'zone'>): boolean {
  return zone.zone === UTC
}

/** The active days from `from` to `to` by the interval that each belongs to, in order. */
export function byInterval(
  { active }: UserDays,
  from: Day,
  to: Day,
  intervalOf: (day: Day) => number,
): Map<number, Day[]> {
  const intervals = new Map<number, Day[]>()
  for (const day of active) {
    if (day < from || day > to) continue
    const n = intervalOf(day)
    const days = intervals.get(n)
    if (days === undefined) intervals.set(n, [day])
    else days.push(day)
  }
  return intervals
}
