import { idFor, pick, seeded } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'

/** What is sent: new events, some of them late by days; replays; and ids that come again with another content. */
export interface Traffic {
  /** About half of it was sent before; all of it if nothing new is allowed. */
  batch(random: () => number, count: number, with_new: boolean): SampleEvent[]
  /** The first form of everything that was ever made. */
  readonly sent: readonly SampleEvent[]
  readonly first_date: string
}

const FIRST_DATE = '2025-07-20'
/** From the first date on, and from the date of what is not late. Each is a file of an import and of a compaction. */
const DAYS = 2
const DAY_MS = 86_400_000
const TYPES = ['app_open', 'view_item', 'add_to_cart', 'purchase', 'logout']
const COUNTRIES = ['PL', 'UA', 'SE', 'DE']
/** Enough that most events are their user's only one of the day, so that DAU misses a lost event too. */
const USERS = 20_000
const LATE = 0.1
const TODAY = 0.03
const OTHER_CONTENT = 0.1

export function createTraffic(seed: number): Traffic {
  const name = seeded(seed)
  const sent: SampleEvent[] = []
  const run = Math.floor(name() * 2 ** 32)

  function time(random: () => number): string {
    const kind = random()
    // Today is not closed yet: these stay in hot.
    if (kind < TODAY)
      return new Date(Date.now() - (Date.now() % DAY_MS) + Math.floor(random() * 1_000)).toISOString()
    const start = kind < TODAY + LATE ? Date.parse(FIRST_DATE) : Date.parse('2025-08-01')
    return new Date(start + Math.floor(random() * DAYS * DAY_MS)).toISOString()
  }

  function content(random: () => number, event_id: string): SampleEvent {
    return {
      event_id,
      occurred_at: time(random),
      user_id: Math.floor(random() * USERS),
      event_type: pick(random, TYPES),
      properties: { country: pick(random, COUNTRIES), price: Math.floor(random() * 100) / 4 },
    }
  }

  return {
    sent,
    first_date: FIRST_DATE,
    batch(random, count, with_new) {
      return Array.from({ length: count }, () => {
        if (sent.length === 0 || (with_new && random() < 0.5)) {
          const event = content(random, idFor(`${run}:${sent.length}`))
          sent.push(event)
          return event
        }
        // Half of the replays are of what is under way right now.
        const back = random() < 0.5 ? Math.min(sent.length, 200) : sent.length
        const event = sent[sent.length - 1 - Math.floor(random() * back)]!
        return random() < OTHER_CONTENT ? content(random, event.event_id) : event
      })
    },
  }
}
