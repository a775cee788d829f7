import type { Asked } from '../../../src/questions/parts/asked.ts'
import type { Field, Filter } from '../../../src/filter/tree.ts'
import { rounded } from './activity.ts'
import { dateOf, dayOf, eventsOf, localDate, passes } from './events.ts'
import type { PlainEvent } from './events.ts'
import { groupsOf } from './trend.ts'

interface Parameters {
  start_date: number
  windows: number
  window: 'day' | 'week' | 'month' | '24h'
  kind: 'n-day' | 'unbounded' | 'bracket'
  brackets?: number[]
  cohort: 'active' | 'first'
  start?: Filter
  return?: Filter
  cohorts: number
  group_by?: Field[]
  groups: number
}

const DAY_US = 86_400_000_000
const usersOf = (events: readonly PlainEvent[]) => new Set(events.map(({ user_id }) => user_id))

/** Without a filter every event passes. */
function passesOptional(filter: Filter | undefined, event: PlainEvent): boolean {
  return filter === undefined || passes(filter, event)
}

export function retention(events: readonly PlainEvent[], asked: Asked): object {
  const p = asked.parameters as Parameters
  const firstDay = (i: number) => windowStart(p, i)
  const all = eventsOf(events, asked, { from: -2, to: asked.days.to + 2 }).toSorted(
    (a, b) => a.at_us - b.at_us || (a.event_id < b.event_id ? -1 : 1),
  )
  const dayOfEvent = ({ at_us }: PlainEvent) => dayOf(localDate(asked.zone.zone, at_us))
  const starts = all.filter((event) => passesOptional(p.start, event))
  const firsts = starts.filter((event) => starts.find(({ user_id }) => user_id === event.user_id) === event)
  const startsOf = (c: number) =>
    (p.cohort === 'first' ? firsts : starts).filter(
      (event) => dayOfEvent(event) >= firstDay(c) && dayOfEvent(event) < firstDay(c + 1),
    )

  /** In how many windows after the own start a user was back. */
  function backOf(user: string, own: readonly PlainEvent[], c: number): number[] {
    const t0 = own.find(({ user_id }) => user_id === user)!.at_us
    return all
      .filter((event) => event.user_id === user && passesOptional(p.return, event))
      .flatMap((event) => {
        if (p.window === '24h') return event.at_us > t0 ? [Math.floor((event.at_us - t0) / DAY_US)] : []
        const i = Array.from({ length: p.windows + 1 }, (_, k) => k).find(
          (k) => dayOfEvent(event) >= firstDay(c + k) && dayOfEvent(event) < firstDay(c + k + 1),
        )
        return i === undefined ? [] : [i]
      })
  }

  function cohortOf(own: readonly PlainEvent[], c: number) {
    const users = [...usersOf(own)]
    const backs = users.map((user) => backOf(user, own, c))
    const entries = p.kind === 'bracket' ? p.brackets! : Array.from({ length: p.windows }, (_, i) => i + 1)
    const today = dayOf(localDate(asked.zone.zone, asked.now_us))
    const data = entries.map((end, i) => {
      const first = p.kind === 'bracket' ? (entries[i - 1] ?? 0) + 1 : end
      const last = p.kind === 'unbounded' ? p.windows : end
      const from = firstDay(c + first)
      const to = firstDay(c + last + 1) - (p.window === '24h' ? 0 : 1)
      const back = backs.filter((list) => list.some((k) => k >= first && k <= last)).length
      const rate = users.length === 0 ? 0 : rounded(back / users.length, 4)
      const named = { window: i + 1, from: dateOf(from), to: dateOf(to) }
      if (from > today) return { ...named, users: null, rate: null }
      return { ...named, users: back, rate, ...(to >= today ? { incomplete: true as const } : {}) }
    })
    return { cohort_size: users.length, data }
  }

  const cohorts = Array.from({ length: p.cohorts }, (_, c) => ({
    start_date: dateOf(firstDay(c)),
    ...cohortOf(startsOf(c), c),
  }))
  const mean = cohorts[0]!.data.map(({ window }, i) => {
    const ended = cohorts.filter(({ data }) => data[i]!.users !== null && !('incomplete' in data[i]!))
    const users = ended.reduce((sum, { data }) => sum + data[i]!.users!, 0)
    const size = ended.reduce((sum, each) => sum + each.cohort_size, 0)
    return { window, users, cohort_size: size, rate: size === 0 ? 0 : rounded(users / size, 4) }
  })
  const groups = groupsOf(startsOf(0), [], p.group_by ?? [], p.groups, (some) => usersOf(some).size)
  return {
    start_date: dateOf(p.start_date),
    window: p.window,
    windows: p.windows,
    cohort_size: cohorts[0]!.cohort_size,
    data: cohorts[0]!.data,
    ...(p.cohorts === 1 ? {} : { cohorts, mean }),
    ...(p.group_by === undefined
      ? {}
      : { groups: groups.map(({ group, now }) => ({ group, ...cohortOf(now, 0) })) }),
  }
}

function windowStart({ start_date, window }: Parameters, i: number): number {
  if (window !== 'month') return start_date + i * (window === 'week' ? 7 : 1)
  const [year, month, day] = dateOf(start_date).split('-').map(Number) as [number, number, number]
  const days_of_month = new Date(Date.UTC(year, month + i, 0)).getUTCDate()
  return Date.UTC(year, month - 1 + i, Math.min(day, days_of_month)) / 86_400_000
}
