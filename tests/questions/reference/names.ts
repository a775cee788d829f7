import type { Asked } from '../../../src/questions/parts/asked.ts'
import { printField } from '../../../src/filter/print.ts'
import type { Field, Filter } from '../../../src/filter/tree.ts'
import { range } from './activity.ts'
import { eventsOf, passes, textOf, valueOf } from './events.ts'
import type { PlainEvent } from './events.ts'

/** Questions about names, and paths of them. */

const byCount =
  <T extends { count: number }>(nameOf: (entry: T) => string | null) =>
  (a: T, b: T) =>
    b.count - a.count || compare(nameOf(a), nameOf(b))

/** null last. */
function compare(a: string | null, b: string | null): number {
  if (a === b) return 0
  return a === null ? 1 : b === null ? -1 : a < b ? -1 : 1
}

function has(name: string | null, search: string | undefined): boolean {
  return search === undefined || (name !== null && name.toLowerCase().includes(search.toLowerCase()))
}

function grouped<T>(list: readonly T[], keyOf: (entry: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const entry of list) groups.set(keyOf(entry), [...(groups.get(keyOf(entry)) ?? []), entry])
  return [...groups.values()]
}

const iso = (at_us: number) =>
  `${new Date(Math.floor(at_us / 1_000)).toISOString().slice(0, 23)}${String(at_us % 1_000).padStart(3, '0')}Z`

export function eventTypes(events: readonly PlainEvent[], asked: Asked): object {
  const { search, limit } = asked.parameters as { search?: string; limit: number }
  const some = eventsOf(events, asked).filter(({ event_type }) => has(event_type, search))
  const data = grouped(some, ({ event_type }) => event_type).map((list) => ({
    event_type: list[0]!.event_type,
    count: list.length,
    users: new Set(list.map(({ user_id }) => user_id)).size,
    first_seen: iso(Math.min(...list.map(({ at_us }) => at_us))),
    last_seen: iso(Math.max(...list.map(({ at_us }) => at_us))),
  }))
  return { ...range(asked), data: data.toSorted(byCount((entry) => entry.event_type)).slice(0, limit) }
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

export function properties(events: readonly PlainEvent[], asked: Asked): object {
  const { search, limit } = asked.parameters as { search?: string; limit: number }
  const pairs = eventsOf(events, asked).flatMap((event) => Object.entries(event.properties))
  const data = grouped(
    pairs.filter(([name]) => has(name, search)),
    ([name]) => name,
  ).map((list) => {
    const types = grouped(list, ([, value]) => typeOf(value)).map((same) => [
      typeOf(same[0]![1]),
      same.length,
    ])
    return { property: list[0]![0], count: list.length, types: Object.fromEntries(types) as object }
  })
  return { ...range(asked), data: data.toSorted(byCount((entry) => entry.property)).slice(0, limit) }
}

export function propertyValues(events: readonly PlainEvent[], asked: Asked): object {
  const { property, search, limit } = asked.parameters as { property: Field; search?: string; limit: number }
  const values = eventsOf(events, asked)
    .map((event) => valueOf(property, event))
    .filter((value) => value !== undefined)
    .map(textOf)
    .filter((value) => has(value, search))
  const data = grouped(values, (value) => JSON.stringify(value)).map((list) => ({
    value: list[0]!,
    count: list.length,
  }))
  const sorted = data.toSorted(byCount((entry) => entry.value)).slice(0, limit)
  return { ...range(asked), property: printField(property), data: sorted }
}

interface PathsParameters {
  start?: Filter
  end?: Filter
  depth: number
  top: number
}

export function paths(events: readonly PlainEvent[], asked: Asked): object {
  const p = asked.parameters as PathsParameters
  const some = eventsOf(events, asked).toSorted(
    (a, b) => a.at_us - b.at_us || (a.event_id < b.event_id ? -1 : 1),
  )
  if (p.start === undefined) some.reverse()
  const walks = grouped(some, ({ user_id }) => user_id).flatMap((list) => {
    const at = list.findIndex((event) => passes((p.start ?? p.end)!, event))
    return at === -1 ? [] : [list.slice(at, at + p.depth + 1).map(({ event_type }) => event_type)]
  })
  type Node = { step: number; event_type: string; is_other: boolean; users: number }
  const links: { step: number; from: string; to: string; to_is_other: boolean; users: number }[] = []
  let open = walks.map((walk) => ({ walk, at: walk[0]! }))
  const nodes: Node[] = grouped(open, ({ at }) => at).map((list) => ({
    step: 0,
    event_type: list[0]!.at,
    is_other: false,
    users: list.length,
  }))
  for (let step = 1; step <= p.depth; step += 1) {
    const next: typeof open = []
    const found: Node[] = []
    for (const from of grouped(
      open.filter(({ walk }) => walk.length > step),
      ({ at }) => at,
    )) {
      const branches = grouped(from, ({ walk }) => walk[step]!)
        .map((list) => ({ list, name: list[0]!.walk[step]!, count: list.length }))
        .toSorted(byCount((entry) => entry.name))
      const kept = branches.slice(0, p.top)
      const rest = branches.slice(p.top).reduce((sum, { count }) => sum + count, 0)
      const told = kept.map(({ name, count }) => ({ event_type: name, is_other: false, users: count }))
      if (rest > 0) told.push({ event_type: 'other', is_other: true, users: rest })
      for (const { event_type, is_other, users } of told) {
        links.push({ step, from: from[0]!.at, to: event_type, to_is_other: is_other, users })
        const same = found.find((node) => node.event_type === event_type && node.is_other === is_other)
        if (same === undefined) found.push({ step, event_type, is_other, users })
        else same.users += users
      }
      for (const { list, name } of kept) next.push(...list.map(({ walk }) => ({ walk, at: name })))
    }
    nodes.push(...found)
    open = next
  }
  return {
    ...range(asked),
    direction: p.start === undefined ? 'before' : 'after',
    users: walks.length,
    nodes: nodes.toSorted(
      (a, b) =>
        a.step - b.step ||
        Number(a.is_other) - Number(b.is_other) ||
        b.users - a.users ||
        compare(a.event_type, b.event_type),
    ),
    links: links.toSorted(
      (a, b) =>
        a.step - b.step ||
        compare(a.from, b.from) ||
        Number(a.to_is_other) - Number(b.to_is_other) ||
        b.users - a.users ||
        compare(a.to, b.to),
    ),
  }
}
