import { FILES_PER_DAY_MAX } from '../../../compactor/plan.ts'
import { addDays, createReference, dateOf } from '../../support/reference.ts'
import type { Reference } from '../../support/reference.ts'
import { idFor, pick } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'

/** What the store should hold: each event under its id, in which tier it lies, and how many cold files a day has. */

export const FIRST_DATE = '2025-08-01'
/** Few days, so that they gain files quickly and are merged often. */
export const DATES: readonly string[] = Array.from({ length: 5 }, (_, n) => addDays(FIRST_DATE, n))
/** More than a day gets, so that one event too few or too many is nearly always a user too. */
export const USERS = 2_000
const TYPES = ['app_open', 'view_item', 'add_to_cart', 'purchase', 'logout'] as const
const DAY_S = 86_400

export type Tier = 'hot' | 'cold'

/** What a compaction reports. */
export interface Moved {
  days: number
  rows: number
  files: number
  merged_files: number
}

export interface Tiers {
  hot: Set<string>
  files: Map<string, number>
}

export interface Model {
  /** By id in lower case, as it was first written. */
  readonly events: ReadonlyMap<string, SampleEvent>
  readonly answers: Omit<Reference, 'store'>
  /** Ids of the events that are in hot. */
  readonly hot: ReadonlySet<string>
  /** Cold files by date. */
  readonly files: ReadonlyMap<string, number>
  /** Takes a batch or a CSV file. The first write of an id wins. */
  store(events: readonly SampleEvent[], tier: Tier): { accepted: number; duplicates: number }
  /** How many of these would be new. */
  countNew(events: readonly SampleEvent[]): number
  /** Closes all days before a date. */
  compact(before: string): Moved
  /** Takes over where things lie after a job that died on its way. What there is does not change by that. */
  learnTiers(tiers: Tiers): void
  fresh(random: () => number, date?: string): SampleEvent
}

export function createModel(): Model {
  const events = new Map<string, SampleEvent>()
  const { store: remember, ...answers } = createReference()
  let hot = new Set<string>()
  let files = new Map<string, number>()
  let ids = 0

  const hotIdsOf = (date: string) => [...hot].filter((id) => dateOf(events.get(id)!.occurred_at) === date)

  return {
    events,
    answers,
    get hot() {
      return hot
    },
    get files() {
      return files
    },
    store(batch, tier) {
      const dates = new Set<string>()
      for (const event of batch) {
        const id = event.event_id.toLowerCase()
        if (events.has(id)) continue
        events.set(id, { ...event, event_id: id })
        if (tier === 'hot') hot.add(id)
        else dates.add(dateOf(event.occurred_at))
      }
      for (const date of dates) files.set(date, (files.get(date) ?? 0) + 1)
      return remember(batch)
    },
    countNew: (batch) =>
      new Set(batch.map((e) => e.event_id.toLowerCase()).filter((id) => !events.has(id))).size,
    compact(before) {
      const moved: Moved = { days: 0, rows: 0, files: 0, merged_files: 0 }
      for (const date of DATES.filter((day) => day < before)) {
        const sealed = hotIdsOf(date)
        const seals = sealed.length > 0 ? 1 : 0
        const count = (files.get(date) ?? 0) + seals
        if (count === 0) continue
        const merges = count > FILES_PER_DAY_MAX
        for (const id of sealed) hot.delete(id)
        files.set(date, merges ? 1 : count)
        moved.rows += sealed.length
        moved.files += seals + (merges ? 1 : 0)
        moved.merged_files += merges ? count : 0
        if (seals > 0 || merges) moved.days += 1
      }
      return moved
    },
    learnTiers(tiers) {
      hot = tiers.hot
      files = tiers.files
    },
    fresh(random, date = pick(random, DATES)) {
      ids += 1
      const below = (n: number) => Math.floor(random() * n)
      const second = new Date(Date.parse(`${date}T00:00:00Z`) + below(DAY_S) * 1_000)
        .toISOString()
        .slice(0, 19)
      return {
        event_id: idFor(`event ${ids}`),
        occurred_at: `${second}.${String(below(1_000_000)).padStart(6, '0')}Z`,
        user_id: below(USERS),
        event_type: pick(random, TYPES),
        properties: { country: pick(random, ['PL', 'UA']), price: below(400) / 4 },
      }
    },
  }
}
