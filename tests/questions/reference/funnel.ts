import type { Asked } from '../../../src/questions/parts/asked.ts'
import { printFilter } from '../../../src/filter/print.ts'
import type { Field, Filter } from '../../../src/filter/tree.ts'
import { dayOf, eventsOf, localDate, passes } from './events.ts'
import type { PlainEvent } from './events.ts'
import { range, rounded } from './activity.ts'
import { groupsOf, quantile } from './trend.ts'

interface FunnelParameters {
  step: Filter[]
  within: number
  order: 'ordered' | 'strict' | 'any'
  exclude?: Filter[]
  group_by?: Field[]
  groups: number
}

/** The times of the steps that one attempt reaches. */
type Attempt = number[]

function countUsers(events: readonly PlainEvent[]): number {
  return new Set(events.map(({ user_id }) => user_id)).size
}

export function funnel(events: readonly PlainEvent[], asked: Asked): object {
  const p = asked.parameters as FunnelParameters
  const { from, to } = asked.days
  const read = { from, to: to + Math.ceil(p.within / 86_400) + 1 }
  const some = eventsOf(events, asked, read).toSorted(
    (a, b) => a.at_us - b.at_us || (a.event_id < b.event_id ? -1 : 1),
  )
  const ofUser = new Map<string, PlainEvent[]>()
  for (const event of some) ofUser.set(event.user_id, [...(ofUser.get(event.user_id) ?? []), event])
  const starts = some.filter((event) => {
    const day = dayOf(localDate(asked.zone.zone, event.at_us))
    return passes(p.step[0]!, event) && day >= from && day <= to
  })
  const stepsOf = (begun: readonly PlainEvent[]) => {
    const best = new Map<string, Attempt>()
    for (const start of begun) {
      const attempt = attemptFrom(start, ofUser.get(start.user_id)!, p)
      if (attempt.length > (best.get(start.user_id)?.length ?? 0)) best.set(start.user_id, attempt)
    }
    return shape(p.step, [...best.values()])
  }
  if (p.group_by === undefined)
    return { ...range(asked), order: p.order, within_s: p.within, data: stepsOf(starts) }
  const groups = groupsOf(starts, [], p.group_by, p.groups, countUsers)
  return {
    ...range(asked),
    order: p.order,
    within_s: p.within,
    data: stepsOf(starts),
    groups: groups.map(({ group, now }) => ({ group, data: stepsOf(now) })),
  }
}

function attemptFrom(start: PlainEvent, of_user: readonly PlainEvent[], p: FunnelParameters): Attempt {
  const reached = [start.at_us]
  const open = new Set(p.step.keys())
  open.delete(0)
  for (const event of of_user.slice(of_user.indexOf(start) + 1)) {
    if (event.at_us > start.at_us + p.within * 1_000_000) break
    if ((p.exclude ?? []).some((filter) => passes(filter, event))) break
    if (p.order === 'any') {
      for (const i of open) {
        if (!passes(p.step[i]!, event)) continue
        open.delete(i)
        reached.push(event.at_us)
      }
      continue
    }
    const next = p.step[reached.length]
    if (next === undefined) break
    if (passes(next, event)) reached.push(event.at_us)
    else if (p.order === 'strict') break
  }
  return reached
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : rounded(part / whole, 4)
}

function shape(steps: readonly Filter[], attempts: readonly Attempt[]) {
  const usersOf = (i: number) => attempts.filter(({ length }) => length > i).length
  return steps.map((step, i) => {
    const seconds = attempts
      .filter(({ length }) => i > 0 && length > i)
      .map((attempt) => (attempt[i]! - attempt[i - 1]!) / 1_000_000)
    const at = (part: number) => (seconds.length === 0 ? null : rounded(quantile(seconds, part), 6))
    return {
      step: printFilter(step),
      users: usersOf(i),
      rate: share(usersOf(i), usersOf(0)),
      from_previous: share(usersOf(i), usersOf(Math.max(0, i - 1))),
      median_s: at(0.5),
      p90_s: at(0.9),
    }
  })
}
