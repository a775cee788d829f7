import { formatDay, MICROS_PER_DAY } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { pickWeighted, randomOf, uuidOf } from './random.ts'
import type { Random, Weighted } from './random.ts'
import { walkSession } from './session.ts'
import type { Visitor } from './session.ts'

/**
 * Generates the sample data, events of a small shop's app. Pure: the events of a day depend only on
 * the seed and the day, so a demo run tomorrow generates the same events for the same days.
 */

export interface DemoEvent {
  event_id: string
  occurred_at: string
  user_id: string
  event_type: string
  properties: Record<string, string | number>
}

/** A user who joined on a day, and their behaviour from then on. */
interface Member extends Visitor {
  user_id: string
  joined: Day
  /** Days from joining after which the user never comes back. */
  lifetime_days: number
  /** Probability of a visit on an ordinary day. */
  activity: number
}

/** Bounds how many past days have to be generated to find the users of one day. */
const LIFETIME_DAYS_MAX = 120
/** On an ordinary day. A month then has about 100,000 events. */
const JOINING_PER_DAY = 148

/** Starts with Thursday, the weekday of 1970-01-01. Visits are fewer at weekends. */
const WEEKDAY_FACTOR = [1.04, 0.97, 0.74, 0.71, 0.98, 1.03, 1.08] as const

const HOUR_WEIGHTS: Weighted<number> = [
  2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 10, 11, 10, 9, 9, 10, 11, 13, 15, 15, 13, 9, 5,
].map((weight, hour) => [hour, weight] as const)

const COUNTRIES: Weighted<string> = [
  ['PL', 28],
  ['UA', 24],
  ['DE', 18],
  ['SE', 11],
  ['GB', 10],
  ['US', 9],
]
const PLATFORMS: Weighted<string> = [
  ['android', 46],
  ['ios', 36],
  ['web', 18],
]
const PLANS: Weighted<string> = [
  ['free', 78],
  ['plus', 17],
  ['pro', 5],
]

const HOUR_US = MICROS_PER_DAY / 24

/** Returns all events of a day, ordered by time. */
export function generateDay(seed: string, day: Day): DemoEvent[] {
  const drafts: (Omit<DemoEvent, 'event_id' | 'occurred_at'> & { at_us: number })[] = []
  for (let joined = day - LIFETIME_DAYS_MAX + 1; joined <= day; joined += 1) {
    for (const member of membersJoining(seed, joined)) {
      if (day - joined >= member.lifetime_days) continue
      for (const { at_us, event_type, properties } of visit(seed, member, day)) {
        drafts.push({ at_us, user_id: member.user_id, event_type, properties })
      }
    }
  }
  const date = formatDay(day)
  return drafts
    .toSorted((a, b) => a.at_us - b.at_us)
    .map(({ at_us, user_id, event_type, properties }, counter) => ({
      event_id: uuidOf(`${seed}/${date}/${counter}`),
      occurred_at: `${date}T${timeOfDay(at_us)}Z`,
      user_id,
      event_type,
      properties,
    }))
}

function membersJoining(seed: string, joined: Day): Member[] {
  const date = formatDay(joined)
  const luck = 0.85 + 0.3 * randomOf(`${seed}/joining/${date}`)()
  const count = Math.round(JOINING_PER_DAY * weekdayFactor(joined) * luck)
  return Array.from({ length: count }, (_, i): Member => {
    const user_id = `u${date.slice(2).replaceAll('-', '')}-${String(i + 1).padStart(3, '0')}`
    const random = randomOf(`${seed}/user/${user_id}`)
    return {
      user_id,
      joined,
      // Both are heavy-tailed: most users leave within days and visit seldom, a few stay for months
      // and visit daily.
      lifetime_days: Math.min(LIFETIME_DAYS_MAX, Math.ceil(2.5 / (random() + 0.001))),
      activity: Math.min(0.95, 0.14 / Math.sqrt(random() + 0.001)),
      ...pickVisitor(random),
    }
  })
}

export function pickVisitor(random: Random): Visitor {
  return {
    country: pickWeighted(random, COUNTRIES),
    platform: pickWeighted(random, PLATFORMS),
    plan: pickWeighted(random, PLANS),
  }
}

/**
 * Returns the events of a member on a day; none if there is no visit. The day of joining always has
 * a visit.
 */
function visit(seed: string, member: Member, day: Day) {
  const random = randomOf(`${seed}/visit/${member.user_id}/${formatDay(day)}`)
  const is_new = member.joined === day
  if (!is_new && random() >= member.activity * weekdayFactor(day)) return []
  const sessions = 1 + (random() < member.activity ? 1 : 0) + (random() < 0.12 ? 1 : 0)
  return Array.from({ length: sessions }, (_, session) => {
    const start_us = Math.floor((pickWeighted(random, HOUR_WEIGHTS) + random()) * HOUR_US)
    return walkSession(random, member, is_new && session === 0, start_us)
  })
    .flat()
    .filter(({ at_us }) => at_us < MICROS_PER_DAY) // A session ends at midnight.
}

function weekdayFactor(day: Day): number {
  return WEEKDAY_FACTOR[((day % 7) + 7) % 7]!
}

/** Formats a time of day as `HH:MM:SS.ffffff`. */
function timeOfDay(at_us: number): string {
  const seconds = Math.floor(at_us / 1_000_000)
  const clock = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
    .map(twoDigits)
    .join(':')
  return `${clock}.${String(at_us % 1_000_000).padStart(6, '0')}`
}

function twoDigits(n: number): string {
  return String(n).padStart(2, '0')
}
