import type { Asked } from '../../../src/questions/parts/asked.ts'
import type { Unit } from '../../../src/calendar/interval.ts'
import { dateOf, dayOf, eventsOf, localDate } from './events.ts'
import type { PlainEvent } from './events.ts'
import { isAfter, labelOf, labelsOf } from './intervals.ts'
import { quantile } from './trend.ts'

/** Questions about when users are active. */

export const rounded = (value: number, decimals: number) =>
  Math.round(value * 10 ** decimals) / 10 ** decimals

/** Numbers of an interval: null if it has not begun, marked if it has not ended. */
export function told<N extends object>(unit: Unit, asked: Asked, label: string, numbers: N): object {
  const now = labelOf(unit, asked, asked.now_us)
  if (isAfter(label, now)) return Object.fromEntries(Object.keys(numbers).map((name) => [name, null]))
  return label === now ? { ...numbers, incomplete: true } : numbers
}

export const range = ({ days }: Asked) => ({ from: dateOf(days.from), to: dateOf(days.to) })
const usersOf = (events: readonly PlainEvent[]) => new Set(events.map(({ user_id }) => user_id))

export function activeUsers(events: readonly PlainEvent[], asked: Asked): object {
  const { mau_days } = asked.parameters as { mau_days: number }
  const data = labelsOf('day', asked).map((date) => {
    const to = dayOf(date)
    const usersIn = (days: number) => usersOf(eventsOf(events, asked, { from: to - days + 1, to })).size
    const [dau, wau, mau] = [usersIn(1), usersIn(7), usersIn(mau_days)]
    return {
      date,
      ...told('day', asked, date, { dau, wau, mau, stickiness: mau === 0 ? 0 : rounded(dau / mau, 4) }),
    }
  })
  return { ...range(asked), mau_days, data }
}

export function stickiness(events: readonly PlainEvent[], asked: Asked): object {
  const { interval } = asked.parameters as { interval: Unit }
  const some = eventsOf(events, asked)
  const activeIn = [...usersOf(some)].map(
    (user) =>
      new Set(
        some.filter(({ user_id }) => user_id === user).map(({ at_us }) => labelOf(interval, asked, at_us)),
      ).size,
  )
  const data = labelsOf(interval, asked).map((_, i) => ({
    intervals: i + 1,
    users: activeIn.filter((n) => n === i + 1).length,
  }))
  return { ...range(asked), interval, data }
}

export function lifecycle(events: readonly PlainEvent[], asked: Asked): object {
  const { interval } = asked.parameters as { interval: Unit }
  // Two intervals before the range hold the one before its first.
  const labels = labelsOf(interval, asked, { from: asked.days.from - 62, to: asked.days.to })
  const all = eventsOf(events, asked, { from: -2, to: 1e5 })
  const active = new Map<string, Set<string>>()
  for (const { user_id, at_us } of all) {
    const label = labelOf(interval, asked, at_us)
    active.set(label, (active.get(label) ?? new Set()).add(user_id))
  }
  const usersIn = (label: string | undefined) => active.get(label!) ?? new Set<string>()
  const firstOf = (user: string) =>
    [...active]
      .filter(([, users]) => users.has(user))
      .map(([label]) => label)
      .toSorted()[0]
  const wanted = new Set(labelsOf(interval, asked))
  const data = labels.flatMap((time, i) => {
    if (!wanted.has(time)) return []
    const [now, before] = [usersIn(time), usersIn(labels[i - 1])]
    const numbers = {
      new: 0,
      returning: 0,
      resurrected: 0,
      dormant: [...before].filter((user) => !now.has(user)).length,
    }
    for (const user of now) {
      numbers[firstOf(user) === time ? 'new' : before.has(user) ? 'returning' : 'resurrected'] += 1
    }
    return [{ time, ...told(interval, asked, time, numbers) }]
  })
  return { ...range(asked), interval, data }
}

export function sessions(events: readonly PlainEvent[], asked: Asked): object {
  const { interval, gap } = asked.parameters as { interval: Unit; gap: number }
  const { from, to } = asked.days
  const some = eventsOf(events, asked, { from: from - 2, to: to + 2 }).toSorted((a, b) => a.at_us - b.at_us)
  const found: PlainEvent[][] = []
  for (const user of usersOf(some)) {
    let last_us = -Infinity
    for (const event of some.filter(({ user_id }) => user_id === user)) {
      if (event.at_us - last_us > gap * 1_000_000) found.push([])
      found.at(-1)!.push(event)
      last_us = event.at_us
    }
  }
  const inRange = found.filter(([first]) => {
    const day = dayOf(localDate(asked.zone.zone, first!.at_us))
    return day >= from && day <= to
  })
  const data = labelsOf(interval, asked).map((time) => {
    const here = inRange.filter(([first]) => labelOf(interval, asked, first!.at_us) === time)
    const lengths = here.map((list) => (list.at(-1)!.at_us - list[0]!.at_us) / 1_000_000)
    const none = here.length === 0
    const numbers = {
      sessions: here.length,
      users: usersOf(here.flat()).size,
      median_s: none ? null : rounded(quantile(lengths, 0.5), 6),
      p90_s: none ? null : rounded(quantile(lengths, 0.9), 6),
      events_per_session: none ? null : rounded(here.flat().length / here.length, 6),
    }
    return { time, ...told(interval, asked, time, numbers) }
  })
  return { ...range(asked), interval, gap_s: gap, data }
}
