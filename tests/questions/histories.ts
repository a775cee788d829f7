import { printFilter } from '../../src/filter/print.ts'
import type { Filter, Test, Value } from '../../src/filter/tree.ts'
import { pick } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { idFor } from '../support/sample.ts'
import { dateOf, dayOf } from '../support/calendar.ts'

/** Random events around changes of the clock, and random questions about them. */

export type Random = () => number

/** Zones, and days around which the clock changes or a date is skipped. Each history has a year of its own. */
const CHANGES: readonly [zone: string, month_day: string][] = [
  ['UTC', '03-01'],
  ['Europe/Kyiv', '03-27'],
  ['America/New_York', '11-05'],
  ['Australia/Lord_Howe', '04-03'],
  ['Asia/Kathmandu', '01-01'],
  ['America/St_Johns', '03-12'],
  ['Pacific/Apia', '12-30'],
]
/** Histories are two years apart, farther than a question reaches; the seventh is in the year of Apia's missing day. */
const FIRST_YEAR = 1999
const YEARS_APART = 2

export interface History {
  zone: string
  /** Local days, both included. */
  from: number
  to: number
  /** Some more than once. */
  events: SampleEvent[]
}

const TYPES = ['open', 'view', 'cart', 'buy', 'a b'] as const
const PLANS = ['free', 'pro', 'team', 'null', null, 1, 2.5, true, ['free', 'pro'], { a: { b: 'x' } }] as const
export const KEYS = [['plan'], ['price'], ['a', 'b'], ['none'], ['a b']] as const

/** @param n tells it from other histories of the same store: its users and days are its own */
export function makeHistory(n: number, random: Random): History {
  const [zone, month_day] = CHANGES[n % CHANGES.length]!
  const year = FIRST_YEAR + n * YEARS_APART
  const days = 4 + below(random, 12)
  const from = dayOf(`${year}-${month_day}`) - below(random, days)
  const users = 2 + below(random, 8)
  const count = 20 + below(random, 100)
  const events = Array.from({ length: count }, (_, i): SampleEvent => {
    // Whole hours are frequent, so that events meet at the same time and at the edge of a day.
    const at_ms =
      (from - 1) * 86_400_000 +
      below(random, (days + 2) * 96) * 900_000 +
      (random() < 0.5 ? 0 : below(random, 900_000))
    return {
      event_id: idFor(`${n}/${i}/${random()}`),
      occurred_at: new Date(at_ms).toISOString(),
      user_id: `${n}-${below(random, users)}`,
      event_type: pick(random, TYPES),
      properties: makeProperties(random),
    }
  })
  const again = events.filter(() => random() < 0.1)
  return { zone, from, to: from + days - 1, events: [...events, ...again] }
}

function makeProperties(random: Random): Record<string, unknown> {
  const properties: Record<string, unknown> = {}
  if (random() < 0.8) properties['plan'] = pick(random, PLANS)
  // Quarters are exact, so that sums are the same in any order.
  if (random() < 0.7) properties['price'] = random() < 0.9 ? (below(random, 400) - 40) / 4 : 'free'
  if (random() < 0.3) properties['a'] = pick(random, [{ b: 'x' }, { b: 3 }, 'x', null])
  if (random() < 0.2) properties['a.b'] = 'dotted'
  if (random() < 0.2) properties['a b'] = 'it\'s "so"'
  return properties
}

export function below(random: Random, n: number): number {
  return Math.floor(random() * n)
}

/** The days of a question, mostly within the history. */
export function makeRange({ from, to }: History, random: Random): { from: string; to: string } {
  const first = from + below(random, to - from + 1)
  return { from: dateOf(first - below(random, 3)), to: dateOf(first + below(random, to - from + 4)) }
}

/** `tz`, `week_start` and `where`, each now and then. */
export function makeCommon({ zone }: History, random: Random): Record<string, string> {
  return {
    ...(random() < 0.8 ? { tz: zone } : {}),
    ...(random() < 0.3 ? { week_start: 'sunday' } : {}),
    ...(random() < 0.5 ? { where: printFilter(makeFilter(random, 2)) } : {}),
  }
}

export function makeGroups(random: Random): Record<string, string> {
  const dice = random()
  if (dice < 0.4) return {}
  const group_by = pick(random, [
    'event_type',
    'properties.plan',
    'event_type,properties.plan',
    'properties.a.b',
  ])
  return { group_by, ...(random() < 0.6 ? { groups: String(1 + below(random, 3)) } : {}) }
}

/** A step of a funnel: most are one event type. */
export function makeStep(random: Random): string {
  const dice = random()
  if (dice < 0.7) return `event_type:${pick(random, TYPES)}`
  return dice < 0.85 ? 'event_type in (open, view, cart)' : printFilter(makeFilter(random, 1))
}

/** When a question is asked, in µs: mostly after its days. */
export function makeNow({ from, to }: Pick<History, 'from' | 'to'>, random: Random): number {
  const day = random() < 0.5 ? to + 400 : from + below(random, to - from + 1)
  return day * 86_400_000_000 + below(random, 86_400) * 1_000_000
}

export function makeFilter(random: Random, depth: number): Filter {
  const dice = random()
  if (depth === 0 || dice < 0.4) return makeTest(random)
  if (dice < 0.6) return { not: makeFilter(random, depth - 1) }
  const parts = Array.from({ length: 2 + below(random, 2) }, () => makeFilter(random, depth - 1))
  return dice < 0.8 ? { and: parts } : { or: parts }
}

const TEXTS = [
  'free',
  'pro',
  'open',
  'buy',
  'x',
  'null',
  'true',
  '1',
  '2.5',
  'it\'s "so"',
  'dotted',
  '',
] as const
const BARE = ['free', 'pro', 'open', 'buy', 'x', 'null', 'true', '1', '2.50', '2.5', '3'] as const

function makeValue(random: Random): Value {
  const quoted = random() < 0.5
  return { text: pick<string>(random, quoted ? TEXTS : BARE), quoted }
}

function makeTest(random: Random): Test {
  const field = pick<Test['field']>(random, ['event_type', 'user_id', ...KEYS, ...KEYS])
  const dice = random()
  if (dice < 0.25) return { field, op: '=', values: [makeValue(random)] }
  if (dice < 0.45)
    return { field, op: 'in', values: Array.from({ length: 1 + below(random, 5) }, () => makeValue(random)) }
  if (dice < 0.6) return { field, op: 'exists', values: [] }
  if (dice < 0.8 && typeof field !== 'string') {
    const number = String((below(random, 200) - 40) / 4)
    return { field, op: pick(random, ['<', '<=', '>', '>=']), values: [{ text: number, quoted: false }] }
  }
  const op = pick(random, ['contains', 'starts_with', 'ends_with', 'matches'] as const)
  const text =
    op === 'matches'
      ? pick<string>(random, ['^o', 'e+$', '[xp]', 'a.*b'])
      : pick<string>(random, ['o', 'fr', 'e', 'x', "'"])
  return { field, op, values: [{ text, quoted: true }] }
}
