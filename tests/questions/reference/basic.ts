import type { Asked } from '../../../src/questions/parts/asked.ts'
import { dateOf, dayOf, eventsOf, localDate } from './events.ts'
import type { PlainEvent } from './events.ts'
import { groupsOf } from './trend.ts'
import type { TrendParameters } from './trend.ts'

/** The first questions. */

const usersOf = (events: readonly PlainEvent[]) => new Set(events.map(({ user_id }) => user_id))

/** Numbers of the local days from `first` to `last`: null if they have not begun, marked if they have not ended. */
function ofDays<N extends object>({ zone, now_us }: Asked, first: number, last: number, numbers: N) {
  const today = dayOf(localDate(zone.zone, now_us))
  if (first > today) return Object.fromEntries(Object.keys(numbers).map((name) => [name, null]))
  return last >= today ? { ...numbers, incomplete: true } : numbers
}

export function dau(events: readonly PlainEvent[], asked: Asked): object {
  const { from, to } = asked.days
  const { group_by, groups } = asked.parameters as Pick<TrendParameters, 'group_by' | 'groups'>
  const dataOf = (some: readonly PlainEvent[]) =>
    Array.from({ length: to - from + 1 }, (_, i) => {
      const day = from + i
      const users = usersOf(eventsOf(some, asked, { from: day, to: day }))
      return { date: dateOf(day), ...ofDays(asked, day, day, { dau: users.size }) }
    })
  const told = { from: dateOf(from), to: dateOf(to), data: dataOf(events) }
  if (group_by === undefined) return told
  const found = groupsOf(eventsOf(events, asked), [], group_by, groups, (some) => usersOf(some).size)
  return { ...told, groups: found.map(({ group, now }) => ({ group, data: dataOf(now) })) }
}

export function topEvents(events: readonly PlainEvent[], asked: Asked): object {
  const { limit } = asked.parameters as { limit: number }
  const counts = new Map<string, number>()
  for (const { event_type } of eventsOf(events, asked))
    counts.set(event_type, (counts.get(event_type) ?? 0) + 1)
  const data = [...counts]
    .map(([event_type, count]) => ({ event_type, count }))
    .toSorted((a, b) => b.count - a.count || (a.event_type < b.event_type ? -1 : 1))
  return { from: dateOf(asked.days.from), to: dateOf(asked.days.to), limit, data: data.slice(0, limit) }
}
