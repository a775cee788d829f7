import type { Unit } from '../../../src/calendar/interval.ts'
import { printField, printFilter } from '../../../src/filter/print.ts'
import type { Field, Filter } from '../../../src/filter/tree.ts'
import type { Asked } from '../../../src/questions/parts/asked.ts'
import type { Measure } from '../../../src/questions/parts/measure.ts'
import { dateOf, dayOf, localTime } from '../../support/calendar.ts'
import { passes, textOf, valueOf } from './events.ts'
import type { PlainEvent } from './events.ts'

type Grouping = { group_by?: readonly Field[]; groups: number }
type Trend = Grouping & { interval: Unit; measure: Measure; compare?: 'previous' }
type Steps = { step: Filter[]; within: number; order: 'ordered' | 'strict' | 'any'; exclude?: Filter[] }
type Windows = { start_date: number; window: string; windows: number; kind: string; brackets?: number[] }
type Cohorts = { cohort: 'active' | 'first'; cohorts: number; start?: Filter; return?: Filter }
type Listing = { search?: string; limit: number }
type Key = string | number | boolean | null
type Answer = (events: Events) => object
type Paths = { start?: Filter; end?: Filter; depth: number; top: number }

/** What each question counts. */
export const REFERENCE: Readonly<Record<string, (words: Words<never>) => object>> = {
  dau({ p, range, within, perInterval }: Words<Grouping>) {
    const answer = (some: Events) => ({ data: perInterval(some, (here) => ({ dau: countUsers(here) })) })
    return { ...range, ...withGroups(p, within, answer) }
  },

  'active-users'({ p: { mau_days }, range, all, within, perInterval }: Words<{ mau_days: number }>) {
    const data = perInterval(within, (today, date) => {
      const usersOfLast = (days: number) => countUsers(ofDays(all, dayOf(date) - days + 1, dayOf(date)))
      const [dau, mau] = [countUsers(today), usersOfLast(mau_days)]
      return { dau, wau: usersOfLast(7), mau, stickiness: rate(dau, mau) }
    })
    return { ...range, mau_days, data }
  },

  stickiness({ p: { interval }, range, within, labels }: Words<{ interval: Unit }>) {
    const activeIn = perUser(within).map((own) => new Set(own.map((event) => event.interval)).size)
    const usersOf = (count: number) => activeIn.filter((intervals) => intervals === count).length
    const data = labels.map((_, i) => ({ intervals: i + 1, users: usersOf(i + 1) }))
    return { ...range, interval, data }
  },

  lifecycle({ p: { interval }, range, all, labelOf, perInterval }: Words<{ interval: Unit }>) {
    const active = perUser(all).map((own) => own.map((event) => event.interval))
    const data = perInterval(all, (_, time) => {
      const now = active.filter((own) => own.includes(time))
      const before = active.filter((own) => own.includes(labelOf(dateOf(dayOf(time) - 1))))
      return {
        new: now.filter(([first]) => first === time).length,
        returning: now.filter((own) => before.includes(own)).length,
        resurrected: now.filter((own) => own[0] !== time && !before.includes(own)).length,
        dormant: before.filter((own) => !now.includes(own)).length,
      }
    })
    return { ...range, interval, data }
  },

  sessions({ p: { interval, gap }, days, range, all, perInterval }: Words<{ interval: Unit; gap: number }>) {
    const sessions = perUser(ofDays(all, -Infinity, days.to + 2)).flatMap((own) => {
      const begins = [...own.keys()].filter((i) => i === 0 || secondsBetween(own[i - 1]!, own[i]!) > gap)
      return begins.map((begin, n) => own.slice(begin, begins[n + 1]))
    })
    const firsts = sessions.map(([first]) => first!)
    const data = perInterval(ofDays(firsts, days.from, days.to), (begun) => {
      const here = sessions.filter(([first]) => begun.includes(first!))
      const lengths = here.map((session) => secondsBetween(session[0]!, session.at(-1)!))
      const events_per_session = average(here.flat().length, here.length)
      return { sessions: here.length, users: countUsers(begun), ...spread(lengths), events_per_session }
    })
    return { ...range, interval, gap_s: gap, data }
  },

  trend({ p, days, range, all, within, now, labels, labelsOf }: Words<Trend>) {
    const count = p.interval === 'hour' ? days.to - days.from + 1 : labels.length
    const [from, to] = [later(days.from, -count, p.interval), later(days.to, -count, p.interval)]
    const earlier = p.compare === undefined ? [] : ofDays(all, from, to)
    const measure = (some: Events) => measured(p.measure, some)
    const valueIn = (some: Events, time: string) => told({ n: measure(during(some, time)) }, now, time).n
    const answer = (events: Events) => {
      const [own, before] = [ofDays(events, days.from, days.to), ofDays(events, from, to)]
      const numbers = { values: labels.map((time) => valueIn(own, time)), total: measure(own) }
      if (p.compare === undefined) return numbers
      const values = labelsOf(from, to).map((time) => valueIn(before, time))
      const previous = labels.map((_, i) => values[i] ?? null)
      return { ...numbers, previous, previous_total: measure(before) }
    }
    const series = perGroup(p, [...earlier, ...within], answer, (some) => measure(some) ?? -Infinity, within)
    const incomplete = labels.filter((time) => time === now)
    return { ...range, interval: p.interval, measure: p.measure.text, times: labels, incomplete, series }
  },

  funnel({ p, range, all, within }: Words<Grouping & Steps>) {
    const starts = within.filter((event) => passes(p.step[0], event))
    const answer = (begun: Events) => {
      const attemptFrom = (start: Event) => {
        const after = ofUser(all.slice(all.indexOf(start) + 1), start)
        const in_time = after.filter((event) => secondsBetween(start, event) <= p.within)
        return [start, ...reached(in_time, p.step.slice(1), p)]
      }
      // Of a user the attempt that reaches most steps counts, the earliest of several.
      const bestOf = (attempts: Events[]) => ordered(attempts, ({ length }) => [-length])[0]!
      const attempts = perUser(begun).map((own) => bestOf(own.map(attemptFrom)))
      const reaching = (i: number) => attempts.filter(({ length }) => length > i)
      const data = p.step.map((step, i) => {
        const [users, before] = [reaching(i).length, reaching(i - 1).length]
        const rates = { rate: rate(users, attempts.length), from_previous: rate(users, before) }
        const seconds = i === 0 ? [] : reaching(i).map((of) => secondsBetween(of[i - 1]!, of[i]!))
        return { step: printFilter(step), users, ...rates, ...spread(seconds) }
      })
      return { data }
    }
    return { ...range, order: p.order, within_s: p.within, ...withGroups(p, starts, answer) }
  },

  retention({ p, all, now }: Words<Grouping & Windows & Cohorts>) {
    const firstDay = (i: number) => later(p.start_date, i, p.window)
    const starting = all.filter((event) => passes(p.start, event))
    const starts = p.cohort === 'first' ? firstPerUser(starting) : starting
    const startsOf = (c: number) => ofDays(starts, firstDay(c), firstDay(c + 1) - 1)
    const returns = all.filter((event) => passes(p.return, event))
    const ends = p.kind === 'bracket' ? p.brackets! : span(1, p.windows)
    const answer = (c: number, begun: Events) => {
      const cohort = firstPerUser(begun)
      const isFrom = (i: number, start: Event, back: Event) =>
        p.window === '24h' ? secondsBetween(start, back) >= i * 86_400 : back.day >= firstDay(c + i)
      const data = ends.map((end, i) => {
        const [first, next] = [(ends[i - 1] ?? 0) + 1, 1 + (p.kind === 'unbounded' ? p.windows : end)]
        const isBack = (start: Event, back: Event) => isFrom(first, start, back) && !isFrom(next, start, back)
        const users = cohort.filter((one) => ofUser(returns, one).some((back) => isBack(one, back))).length
        // The 24 hours of a user who starts late in the day end on the next day.
        const last_day = firstDay(c + next) - (p.window === '24h' ? 0 : 1)
        const [from, to] = [dateOf(firstDay(c + first)), dateOf(last_day)]
        const numbers = { users, rate: rate(users, cohort.length) }
        return { window: i + 1, from, to, ...told(numbers, now, from, to) }
      })
      return { cohort_size: cohort.length, data }
    }
    const cohortOf = (c: number) => ({ start_date: dateOf(firstDay(c)), ...answer(c, startsOf(c)) })
    const cohorts = span(0, p.cohorts - 1).map(cohortOf)
    const mean = ends.map((_, i) => {
      const ended = cohorts.filter(({ data }) => data[i]!.users !== null && !('incomplete' in data[i]!))
      const users = sumOf(ended.map(({ data }) => data[i]!.users))
      const cohort_size = sumOf(ended.map((cohort) => cohort.cohort_size))
      return { window: i + 1, users, cohort_size, rate: rate(users, cohort_size) }
    })
    const several = p.cohorts === 1 ? {} : { cohorts, mean }
    const first = withGroups(p, startsOf(0), (begun) => answer(0, begun))
    return { start_date: dateOf(p.start_date), window: p.window, windows: p.windows, ...first, ...several }
  },

  'top-events'({ p, range, within }: Words<Listing>) {
    return { ...range, limit: p.limit, data: listed(p, within, 'event_type') }
  },

  'event-types'({ p, range, within }: Words<Listing>) {
    const data = listed(p, within, 'event_type', (same) => ({ users: countUsers(same), ...seen(same) }))
    return { ...range, data }
  },

  properties({ p, range, within }: Words<Listing>) {
    const given = within.flatMap((event) => Object.entries(event.properties))
    const typed = given.map(([property, value]) => ({ property, type: typeOf(value) }))
    return { ...range, data: listed(p, typed, 'property', typesOf) }
  },

  'property-values'({ p, range, within }: Words<Listing & { property: Field }>) {
    const values = within.map((event) => ({ value: valueOf(p.property, event) }))
    const given = values.filter(({ value }) => value !== undefined)
    return { ...range, property: printField(p.property), data: listed(p, given, 'value') }
  },

  paths({ p: { start, end, depth, top }, range, within }: Words<Paths>) {
    // From a user's first `start` event on, or from the last `end` event backwards.
    const walks = perUser(within).flatMap((own) => {
      const directed = start === undefined ? own.toReversed() : own
      const first = directed.findIndex((event) => passes(start ?? end, event))
      const types = directed.slice(first, first + depth + 1).map(({ event_type }) => event_type)
      const moves = types.map((to, step) => ({ step, from: types[step - 1] ?? null, to, to_is_other: false }))
      return first === -1 ? [] : [moves]
    })
    // Of each node the `top` branches go on, and the rest end in `other`.
    for (const step of span(1, depth)) {
      const going = walks.filter(({ length }) => length > step)
      for (const { same } of ranked(going, (walk) => ({ from: walk[step]!.from }))) {
        const rest = ranked(same, (walk) => walk[step]!).slice(top)
        for (const walk of rest.flatMap((branch) => branch.same))
          walk.splice(step, depth, { ...walk[step]!, to: 'other', to_is_other: true })
      }
    }
    const moves = walks.flatMap((walk) => walk.slice(1))
    const links = ordered(ranked(moves, link), ({ name: n }) => [n.step, n.from, n.to_is_other]).map(counted)
    const nodes = ordered(ranked(walks.flat(), node), ({ name: n }) => [n.step, n.is_other]).map(counted)
    const direction = start === undefined ? 'before' : 'after'
    return { ...range, direction, users: walks.length, nodes, links }
  },
}

const iso = ({ at_us }: Event) =>
  new Date(at_us / 1_000).toISOString().replace('Z', `${String(at_us % 1_000).padStart(3, '0')}Z`)
const seen = (all: Events) => ({ first_seen: iso(all[0]!), last_seen: iso(all.at(-1)!) })
const typesOf = (same: readonly { type: string }[]) => {
  const types = ranked(same, ({ type }) => ({ type })).map(({ name, size }) => [name.type, size])
  return { types: Object.fromEntries(types) as object }
}
const typeOf = (value: unknown) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)
type Move = { step: number; from: string | null; to: string; to_is_other: boolean }
const node = ({ step, to, to_is_other }: Move) => ({ step, event_type: to, is_other: to_is_other })
const link = (move: Move) => move
const counted = <N>({ name, size }: { name: N; size: number }) => ({ ...name, users: size })

/** How often a key has each value, the most frequent first. */
function listed<T>(p: Listing, list: readonly T[], key: keyof T & string, more?: (same: T[]) => object) {
  const search = (p.search ?? '').toLowerCase()
  const meant = list.filter((entry) => (textOf(entry[key]) ?? '').toLowerCase().includes(search))
  const found = ranked(meant, (entry) => ({ [key]: textOf(entry[key]) })).slice(0, p.limit)
  return found.map(({ name, same, size }) => ({ ...name, count: size, ...more?.(same) }))
}

function measured({ kind, keys }: Measure, all: Events): number | null {
  const values = all.map((event) => keys && valueOf(keys, event))
  const numbers = values.filter((value) => typeof value === 'number')
  const at = (share: number) => quantile(numbers, share)
  const [events, users, sum] = [all.length, countUsers(all), sumOf(numbers)]
  const counts = { events, users, events_per_user: average(events, users) }
  const sums = { sum: average(sum, 1), avg: average(sum, numbers.length) }
  const quantiles = { min: at(0), p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
  return { ...counts, ...sums, ...quantiles }[kind]
}

/** The events by which an attempt reaches its open steps: the next one, or in any order each of them. */
function reached(after: Events, open: readonly Filter[], p: Steps): Event[] {
  const [event, ...rest] = after
  if (event === undefined || p.exclude?.some((filter) => passes(filter, event))) return []
  const done = (p.order === 'any' ? open : open.slice(0, 1)).filter((filter) => passes(filter, event))
  if (p.order === 'strict' && done.length === 0) return []
  const still_open = open.filter((filter) => !done.includes(filter))
  return [...done.map(() => event), ...reached(rest, still_open, p)]
}

const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** The day some months, weeks or else days later; the last of its month where that has no such day. */
function later(day: number, count: number, unit: string): number {
  if (unit !== 'month') return day + count * (unit === 'week' ? 7 : 1)
  const [year, month, of_month] = dateOf(day).split('-').map(Number) as [number, number, number]
  const days_of_month = new Date(Date.UTC(year, month + count, 0)).getUTCDate()
  return Date.UTC(year, month - 1 + count, Math.min(of_month, days_of_month)) / 86_400_000
}

/** With its local day, the label of its interval, and its values of `group_by`. */
type Event = PlainEvent & { day: number; interval: string; group: Record<string, string | null> }
type Events = readonly Event[]
const ofDays = (all: Events, from: number, to: number) => all.filter(({ day }) => from <= day && day <= to)
const during = (all: Events, label: string) => all.filter(({ interval }) => interval === label)
const perUser = (all: Events) => ranked(all, ({ user_id }) => ({ user_id })).map(({ same }) => same)
const ofUser = (all: Events, one: Event) => all.filter(({ user_id }) => user_id === one.user_id)
const firstPerUser = (all: Events) => perUser(all).map(([first]) => first!)
const countUsers = (all: Events) => perUser(all).length
const secondsBetween = (a: Event, b: Event) => (b.at_us - a.at_us) / 1_000_000

/** Numbers of a time, given by its labels: null before it begins, marked until it has ended. */
function told<N extends object>(numbers: N, now: string, from: string, to = from) {
  const nulls = Object.fromEntries(Object.keys(numbers).map((name) => [name, null])) as N
  if (Date.parse(from) > Date.parse(now)) return nulls
  return Date.parse(to) >= Date.parse(now) ? { ...numbers, incomplete: true } : numbers
}

/** Words whose meaning depends on what is asked for: days, zone, interval, filter, groups. */
type Words<P> = ReturnType<typeof wordsOf<P>>
export function wordsOf<P = never>(events: readonly PlainEvent[], { zone, days, ...asked }: Asked) {
  const p = asked.parameters as P
  const { interval, group_by = [] } = asked.parameters as Partial<Grouping> & { interval?: Unit }
  const range = { from: dateOf(days.from), to: dateOf(days.to) }
  const localTimeOf = (at_us: number) => localTime(zone.zone, at_us)
  /** The interval of a local time or date: an hour by its beginning, all others by their first day. */
  const labelOf = (time: string) => {
    const weekday = (dayOf(time) + (zone.week_start === 'sunday' ? 4 : 3)) % 7
    const week = dateOf(dayOf(time) - weekday)
    const hour = time.replace(/:\d\d:\d\d/, ':00:00')
    return { hour, day: time.slice(0, 10), week, month: `${time.slice(0, 7)}-01` }[interval ?? 'day']
  }
  /** An hour that a clock passes twice is there twice, and a date that a zone skipped once. */
  const labelsOf = (from: number, to: number) => {
    const quarters = span((from - 1) * 96, (to + 2) * 96).map((n) => n * 900_000_000)
    const times = interval === 'hour' ? quarters.map(localTimeOf) : span(from, to).map(dateOf)
    return [...new Set(times.filter((time) => from <= dayOf(time) && dayOf(time) <= to).map(labelOf))]
  }
  const [labels, now] = [labelsOf(days.from, days.to), labelOf(localTimeOf(asked.now_us))]
  const name = interval === undefined ? 'date' : 'time'
  const perInterval = (all: Events, numbersOf: (here: Events, label: string) => object) =>
    labels.map((label) => ({ [name]: label, ...told(numbersOf(during(all, label), label), now, label) }))
  const placed = (event: PlainEvent): Event => {
    const group = group_by.map((field) => [printField(field), textOf(valueOf(field, event))])
    const time = localTimeOf(event.at_us)
    return { ...event, day: dayOf(time), interval: labelOf(time), group: Object.fromEntries(group) }
  }
  const passing = events.filter((event) => passes(asked.filter, event)).map(placed)
  /** In the order of their times, then of their ids. */
  const all = ordered(passing, ({ at_us, event_id }) => [at_us, event_id])
  const within = ofDays(all, days.from, days.to)
  return { p, days, range, all, within, now, labels, labelsOf, labelOf, perInterval }
}

const rounded = (value: number, decimals: number) => Math.round(value * 10 ** decimals) / 10 ** decimals
const rate = (part: number, whole: number) => (whole === 0 ? 0 : rounded(part / whole, 4))
const average = (sum: number, count: number) => (count === 0 ? null : rounded(sum / count, 6))
const sumOf = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

/** Between the two values that it lies between, in proportion; null of nothing. */
function quantile(numbers: readonly number[], share: number): number | null {
  if (numbers.length === 0) return null
  const sorted = numbers.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return rounded(low + (high - low) * (at - Math.floor(at)), 6)
}
const spread = (of: readonly number[]) => ({ median_s: quantile(of, 0.5), p90_s: quantile(of, 0.9) })

/** By one key after the other, null last. */
const ordered = <T>(list: readonly T[], keysOf: (entry: T) => readonly Key[]) =>
  list.toSorted((a, b) => {
    const signs = keysOf(a).map((key, i) => compare(key, keysOf(b)[i]!))
    return signs.find((sign) => sign !== 0) ?? 0
  })
const compare = (a: Key, b: Key) => (a === b ? 0 : b === null || (a !== null && a < b) ? -1 : 1)

/** What has the same name: the largest first, equally large ones by name. */
function ranked<T, N extends Record<string, Key>>(list: readonly T[], nameOf: (entry: T) => N) {
  const keyOf = (entry: T) => JSON.stringify(nameOf(entry))
  const keys = [...new Set(list.map(keyOf))]
  const lists = keys.map((key) => list.filter((entry) => keyOf(entry) === key))
  const found = lists.map((same) => ({ name: nameOf(same[0]!), same, size: same.length }))
  return ordered(found, ({ name, size }) => [-size, ...Object.values(name)])
}

/** An answer for each of the groups that are largest by some of their events, and for all others as `other`. */
function perGroup(p: Grouping, all: Events, answer: Answer, sizeOf = countUsers, some = all) {
  if (p.group_by === undefined) return [{ group: {}, ...answer(all) }]
  const found = ranked(some, ({ group }) => group)
  const by_size = ordered(found, ({ name, same }) => [-sizeOf(same), ...Object.values(name)])
  const kept = by_size.slice(0, p.groups).map(({ name }) => JSON.stringify(name))
  const ofGroup = (i: number) => all.filter(({ group }) => kept.indexOf(JSON.stringify(group)) === i)
  const groups = kept.map((key, i) => ({ group: JSON.parse(key) as object, ...answer(ofGroup(i)) }))
  const other = Object.fromEntries(p.group_by.map((field) => [printField(field), 'other']))
  return ofGroup(-1).length === 0 ? groups : [...groups, { group: other, ...answer(ofGroup(-1)) }]
}

/** The answer for all events and, if groups are asked for, for those with the most users. */
const withGroups = (p: Grouping, all: Events, answer: Answer) =>
  p.group_by === undefined ? answer(all) : { ...answer(all), groups: perGroup(p, all, answer) }
