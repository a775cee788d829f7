import { generateDay } from '../src/demo/generate.ts'
import type { DemoEvent } from '../src/demo/generate.ts'
import { formatDay, parseDay } from '../src/time.ts'
import type { IdVersion } from './benchmark.ts'

/** The events of the demo, for days that never change. Their own ids are as good as random, which is the hard case for a unique index. */

const FIRST_DAY = parseDay('2026-01-05')!

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

/** Ids as a busy client makes them: four in each millisecond of a time after that of {@link earlierId}, the rest random in each. */
function orderedId(n: number): string {
  const ms = (FIRST_ORDERED_MS + Math.floor(n / 4)).toString(16).padStart(12, '0')
  const rest = (Math.imul(n + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')
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
