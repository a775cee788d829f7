import { generateDay } from '../src/demo/generate.ts'
import type { DemoEvent } from '../src/demo/generate.ts'
import { formatDay, parseDay } from '../src/time.ts'

/** The events of the demo, for days that never change. Their ids are as good as random, which is the hard case for a unique index. */

const FIRST_DAY = parseDay('2026-01-05')!

export interface BenchEvents {
  events: DemoEvent[]
  from: string
  to: string
}

export function makeEvents(count: number): BenchEvents {
  const events: DemoEvent[] = []
  let day = FIRST_DAY
  for (; events.length < count; day += 1) events.push(...generateDay('bench', day))
  events.length = count
  return { events, from: formatDay(FIRST_DAY), to: formatDay(day - 1) }
}

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
