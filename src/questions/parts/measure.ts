import * as v from 'valibot'
import { parseField } from '../../filter/parse.ts'
import { FilterError } from '../../filter/tokens.ts'
import type { Day } from '../../event/time.ts'
import type { Field } from '../../filter/tree.ts'
import { numberOf, propertyOf } from '../../sql/property.ts'
import type { Bind } from '../../sql/statement.ts'
import type { UserDays } from './user-days.ts'

/** What is measured of the events of an interval. */

const OF_EVENTS = ['events', 'users', 'events_per_user'] as const
const OF_NUMBERS = ['sum', 'avg', 'min', 'max', 'p50', 'p90', 'p99'] as const
export const MEASURES = [...OF_EVENTS, ...OF_NUMBERS.map((name) => `${name}:<property>`)] as const

export interface Measure {
  kind: (typeof OF_EVENTS)[number] | (typeof OF_NUMBERS)[number]
  /** Of which property; null for events and users. */
  keys: Exclude<Field, string> | null
  /** As it was asked for. */
  text: string
}

const FAULT = `must be one of ${MEASURES.join(', ')}`

export const measure = v.pipe(
  v.string(),
  v.metadata({ json_schema: { type: 'string' } }),
  v.rawTransform(({ dataset, addIssue, NEVER }): Measure => {
    const text = dataset.value
    const of_events = OF_EVENTS.find((name) => name === text)
    if (of_events !== undefined) return { kind: of_events, keys: null, text }
    const [name, ...rest] = text.split(':')
    const kind = OF_NUMBERS.find((each) => each === name)
    const keys = keysOf(rest.join(':'))
    if (kind !== undefined && keys !== null) return { kind, keys, text }
    addIssue({ message: FAULT })
    return NEVER
  }),
)

/** `price`, `properties.price` and `properties["price"]` name the same property. */
function keysOf(name: string): Measure['keys'] {
  for (const written of [name, `properties.${name}`]) {
    try {
      const field = parseField(written)
      if (typeof field !== 'string') return field
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
    }
  }
  return null
}

/** SQL of the number that an event brings in. */
export function valueColumn({ keys }: Measure, bind: Bind): string {
  return keys === null ? 'NULL::DOUBLE' : numberOf(propertyOf(keys, bind))
}

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99 } as const

/** SQL of the measure over rows with `user_id` and `value`. */
export function aggregate({ kind }: Measure): string {
  switch (kind) {
    case 'events':
      return 'count(*)'
    case 'users':
      return 'count(DISTINCT user_id)'
    case 'events_per_user':
      return 'count(*) / count(DISTINCT user_id)'
    case 'p50':
    case 'p90':
    case 'p99':
      return `quantile_cont(value, ${QUANTILES[kind]})`
    case 'sum':
      return 'coalesce(sum(value), 0)'
    default:
      return `${kind}(value)`
  }
}

/** The measure of some days; null if there is nothing to average. */
export function measured({ kind }: Measure, days: UserDays, of: readonly Day[]): number | null {
  const events = () =>
    of.reduce((sum, day) => [...days.events(day).values()].reduce((n, count) => n + count, sum), 0)
  const users = () => (of.length === 1 ? days.countUsers(of[0]!) : days.users(of).length)
  if (kind === 'events') return events()
  if (kind === 'users') return users()
  const count = users()
  return count === 0 ? null : events() / count
}

/** What an interval without events has: counts and sums are 0, and there is nothing to average. */
export function emptyOf({ kind }: Measure): 0 | null {
  return kind === 'events' || kind === 'users' || kind === 'sum' ? 0 : null
}
