import { randomUUID } from 'node:crypto'
import { generateDay } from '../src/demo/generate.ts'
import type { DemoEvent } from '../src/demo/generate.ts'
import { formatDay, parseDay } from '../src/time.ts'
import type { Day } from '../src/time.ts'
import type { IdVersion } from './benchmark.ts'

/** The events of the demo, for days that never change. Their own ids are as good as random, which is the hard case for a unique index. */

const FIRST_DAY = parseDay('2026-01-05')!

export interface BenchEvents {
  events: DemoEvent[]
  from: string
  to: string
}

export function makeEvents(count: number, id_version: IdVersion = 4): BenchEvents {
  const events = [...smallDays(count)].flat()
  if (id_version === 7) for (const [i, event] of events.entries()) event.event_id = orderedId(i)
  return { events, from: formatDay(FIRST_DAY), to: events.at(-1)!.occurred_at.slice(0, 10) }
}

/** The days of one small shop, a part each. */
export function* smallDays(count: number): Generator<DemoEvent[]> {
  for (let day = FIRST_DAY, left = count; left > 0; day += 1) {
    const part = generateDay('bench', day).slice(0, left)
    left -= part.length
    yield part
  }
}

/** As many events as asked for on as many days, in parts of some thousand: nobody has to hold them all. */
export function* largeDays(count: number, days: number): Generator<DemoEvent[]> {
  for (let n = 0; n < days; n += 1) {
    const rows = Math.floor(((n + 1) * count) / days) - Math.floor((n * count) / days)
    yield* largeDay(FIRST_DAY + n, rows)
  }
}

/** Making a shop takes longer than everything else, so each stands for so many with users, sessions and ids of their own. */
const SHOPS_PER_MADE = 10

/** One day of as many shops as it takes. */
export function* largeDay(day: Day, count: number): Generator<DemoEvent[]> {
  let made: DemoEvent[] = []
  for (let shop = 0, left = count; left > 0; shop += 1) {
    if (shop % SHOPS_PER_MADE === 0) made = generateDay(`bench-${shop}`, day)
    // Spread, so that the shops' users are not in order before they are sorted.
    const mark = Math.imul(shop + 1, 0x9e3779b1) >>> 0
    const name = hexOf(mark)
    const part = made.slice(0, left).map(({ occurred_at, user_id, event_type, properties }) => ({
      event_id: randomUUID(),
      occurred_at,
      user_id: `${name}-${user_id}`,
      event_type,
      properties: {
        ...properties,
        session_id: hexOf((Number.parseInt(String(properties['session_id']), 16) ^ mark) >>> 0),
      },
    }))
    left -= part.length
    yield part
  }
}

function hexOf(n: number): string {
  return n.toString(16).padStart(8, '0')
}

/** Ids as a busy client makes them: four in each millisecond of a time after that of {@link earlierId}, the rest random in each. */
function orderedId(n: number): string {
  const ms = (FIRST_ORDERED_MS + Math.floor(n / 4)).toString(16).padStart(12, '0')
  const rest = hexOf(Math.imul(n + 1, 0x9e3779b1) >>> 0)
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${(n % 4).toString(16)}00-8000-0000${rest}`
}

const FIRST_ORDERED_MS = Date.UTC(2026, 0, 5)

/** What `/stats/dau` has to answer once everything is counted. */
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
