import type { Day } from '../event/time.ts'
import type { UserDays } from '../questions/parts/user-days.ts'
import { ALL_EVENTS } from '../sets/coding.ts'
import type { SetReader } from '../sets/read.ts'
import type { ColdFile } from '../store/catalog.ts'
import type { HotDays } from './hot-days.ts'
import type { UserDaysPlan } from './plan.ts'

/** The users and events of both tiers by day. Cold files must have their sets. */
export function unitedDays({ files, days, types }: UserDaysPlan, sets: SetReader, hot: HotDays): UserDays {
  const wanted = types ?? [ALL_EVENTS]
  const cold = new Map<Day, ColdFile[]>()
  for (const file of files) cold.set(file.day, [...(cold.get(file.day) ?? []), file])
  const of_hot = [...hot.days.keys()].filter((day) => day >= days.from && day <= days.to)
  /** The last union that each user was in; made for the first union, because many questions need none. */
  let stamps: Uint32Array | null = null
  let unions = 0

  function partsOf(day: Day): (Uint32Array | ReadonlySet<number>)[] {
    const parts: (Uint32Array | ReadonlySet<number>)[] = []
    for (const type of wanted) {
      for (const file of cold.get(day) ?? []) {
        if (sets.counts(file)!.has(type)) parts.push(sets.users(file, type))
      }
      const counts = hot.days.get(day)?.get(type)
      if (counts !== undefined) parts.push(counts.users)
    }
    return parts
  }

  function users(of_days: readonly Day[]): Uint32Array {
    const parts = of_days.flatMap(partsOf)
    const [only] = parts
    if (parts.length === 1 && only instanceof Uint32Array) return only
    unions += 1
    stamps ??= new Uint32Array(hot.numbers)
    const found = new Uint32Array(
      parts.reduce((n, part) => n + ('size' in part ? part.size : part.length), 0),
    )
    let count = 0
    for (const part of parts) {
      for (const user of part) {
        if (stamps[user] === unions) continue
        stamps[user] = unions
        found[count] = user
        count += 1
      }
    }
    return found.subarray(0, count)
  }

  return {
    active: [...new Set([...cold.keys(), ...of_hot])].toSorted((a, b) => a - b),
    numbers: hot.numbers,
    countUsers(day) {
      const own = cold.get(day) ?? []
      if (own.length === 1 && !hot.days.has(day) && wanted.length === 1)
        return sets.counts(own[0]!)!.get(wanted[0]!)?.users ?? 0
      return users([day]).length
    },
    users,
    events(day) {
      const events = new Map<string, number>()
      const maps = [
        ...(cold.get(day) ?? []).map((file) => sets.counts(file)!),
        hot.days.get(day) ?? new Map(),
      ]
      for (const counts of maps as ReadonlyMap<string, { events: number }>[]) {
        for (const [type, counted] of counts) {
          if (type === ALL_EVENTS || (types !== null && !types.includes(type))) continue
          events.set(type, (events.get(type) ?? 0) + counted.events)
        }
      }
      return events
    },
  }
}
