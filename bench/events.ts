import { randomUUID } from 'node:crypto'
import { generateDay, pickVisitor } from '../src/demo/generate.ts'
import type { DemoEvent } from '../src/demo/generate.ts'
import { integerBelow, randomOf } from '../src/demo/random.ts'
import { walkSession } from '../src/demo/session.ts'
import { formatDay, MICROS_PER_DAY, parseDay } from '../src/event/time.ts'
import type { IdVersion } from './benchmark.ts'

/** Demo events of fixed days. Their ids are pseudo-random, which is the hard case for a unique index. */

export const FIRST_DAY = parseDay('2026-01-05')!

export interface BenchEvents {
  events: DemoEvent[]
  from: string
  to: string
}

export function makeEvents(count: number, id_version: IdVersion = 4): BenchEvents {
  const events: DemoEvent[] = []
  let day = FIRST_DAY
  for (; events.length < count; day += 1) events.push(...generateDay('bench', day))
  events.length = count
  if (id_version === 7) for (const [i, event] of events.entries()) event.event_id = orderedId(i)
  return { events, from: formatDay(FIRST_DAY), to: formatDay(day - 1) }
}

export interface LargeDayEvent extends Omit<DemoEvent, 'event_id' | 'occurred_at'> {
  /** Microseconds since the start of the day. */
  at_us: number
}

const VISITS_PER_PART = 1_000
/** Average per day; a visit has about seven events. */
const EVENTS_PER_USER = 4

/**
 * Generates one day of `count` events in parts. The demo's generator makes only small days, and is slower.
 */
export function* largeDay(count: number): Generator<LargeDayEvent[]> {
  const users = Math.ceil(count / EVENTS_PER_USER)
  for (let visit = 0, left = count; left > 0; visit += VISITS_PER_PART) {
    const part = Array.from({ length: VISITS_PER_PART }, (_, n) => visitOf(visit + n, users))
      .flat()
      .slice(0, left)
      .toSorted((a, b) => a.at_us - b.at_us)
    left -= part.length
    yield part
  }
}

function visitOf(visit: number, users: number): LargeDayEvent[] {
  const random = randomOf(`bench/visit/${visit}`)
  // A skewed distribution: some users visit far more often than others.
  const user_id = `u${integerBelow(random, integerBelow(random, users) + 1)}`
  const start_us = integerBelow(random, MICROS_PER_DAY)
  return walkSession(random, pickVisitor(randomOf(`bench/user/${user_id}`)), false, start_us)
    .filter(({ at_us }) => at_us < MICROS_PER_DAY)
    .map((event) => ({ ...event, user_id }))
}

/** Byte offsets of ids and dates in a text with many events. */
export interface Places {
  ids: readonly number[]
  dates: readonly number[]
}

/** Overwrites the ids in a text with new random ones, and the dates with `date` unless it is null. */
export function renewEvents(text: Buffer, { ids, dates }: Places, date: string | null): void {
  for (const place of ids) text.write(randomUUID(), place, 'latin1')
  if (date !== null) for (const place of dates) text.write(date, place, 'latin1')
}

/**
 * A version 7 id as a busy client creates them:
 * four per millisecond, after the ids that `fillEvents` inserts.
 */
function orderedId(n: number): string {
  const ms = (FIRST_ORDERED_MS + Math.floor(n / 4)).toString(16).padStart(12, '0')
  const rest = (Math.imul(n + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${(n % 4).toString(16)}00-8000-0000${rest}`
}

const FIRST_ORDERED_MS = Date.UTC(2026, 0, 5)

/** The expected answer of `/stats/dau`. */
export function expectedDau({ events, from, to }: BenchEvents): { date: string; dau: number }[] {
  const users = new Map<string, Set<string>>()
  for (const { occurred_at, user_id } of events) {
    const date = occurred_at.slice(0, 10)
    let active = users.get(date)
    if (active === undefined) users.set(date, (active = new Set()))
    active.add(user_id)
  }
  const days = Array.from({ length: parseDay(to)! - parseDay(from)! + 1 }, (_, i) => parseDay(from)! + i)
  return days.map((day) => ({ date: formatDay(day), dau: users.get(formatDay(day))?.size ?? 0 }))
}
