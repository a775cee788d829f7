import type { SampleEvent } from '../../support/sample.ts'
import type { StoredEvent } from '../../support/visible.ts'

/**
 * What must be stored, may be stored and must not be, from what was sent and what was acknowledged, and from nothing else. It shares
 * no code with the service.
 */
export interface Oracle {
  /** Notes that a batch is about to be sent. Of copies within one batch only the first can ever be written. */
  send(events: readonly SampleEvent[]): void
  /** Notes that a batch was acknowledged: now each of its ids is stored. */
  acknowledge(events: readonly SampleEvent[]): void
  readonly sent: number
  readonly acknowledged: number
  /** What answers have to count at least. */
  certain(): Tally
  /** What answers may count at most. */
  possible(): Tally
  judge(stored: Iterable<StoredEvent>): Judgement
}

export interface Tally {
  total: number
  /** By event type. */
  types: ReadonlyMap<string, number>
  /** By date. */
  users: ReadonlyMap<string, ReadonlySet<string>>
}

export interface Judgement {
  /** Acknowledged and not there. */
  lost: string[]
  /** There more than once. */
  duplicated: string[]
  /** There without ever having been sent. */
  invented: string[]
  /** There with a content that is not the first written one. */
  altered: string[]
}

interface Known {
  /** What may have been written first: everything sent until the first acknowledgement, after which nothing can be. */
  contents: SampleEvent[]
  acknowledged: boolean
}

export function createOracle(): Oracle {
  const known = new Map<string, Known>()
  let acknowledged = 0

  function tally(contentsOf: (entry: Known) => readonly SampleEvent[], total: number): Tally {
    const types = new Map<string, number>()
    const users = new Map<string, Set<string>>()
    for (const entry of known.values()) {
      const contents = contentsOf(entry)
      for (const type of new Set(contents.map((e) => e.event_type))) {
        types.set(type, (types.get(type) ?? 0) + 1)
      }
      for (const { occurred_at, user_id } of contents) {
        const date = occurred_at.slice(0, 10)
        if (!users.has(date)) users.set(date, new Set())
        users.get(date)!.add(String(user_id))
      }
    }
    return { total, types, users }
  }

  return {
    send(events) {
      const here = new Set<string>()
      for (const event of events) {
        if (here.has(event.event_id)) continue
        here.add(event.event_id)
        const entry = known.get(event.event_id)
        if (entry === undefined) known.set(event.event_id, { contents: [event], acknowledged: false })
        else if (!entry.acknowledged && !entry.contents.includes(event)) entry.contents.push(event)
      }
    },
    acknowledge(events) {
      for (const { event_id } of events) {
        const entry = known.get(event_id)!
        if (!entry.acknowledged) acknowledged += 1
        entry.acknowledged = true
      }
    },
    get sent() {
      return known.size
    },
    get acknowledged() {
      return acknowledged
    },
    certain: () => tally((e) => (e.acknowledged && e.contents.length === 1 ? e.contents : []), acknowledged),
    possible: () => tally((entry) => entry.contents, known.size),
    judge(stored) {
      const seen = new Set<string>()
      const judgement: Judgement = { lost: [], duplicated: [], invented: [], altered: [] }
      for (const event of stored) {
        const entry = known.get(event.event_id)
        if (seen.has(event.event_id)) judgement.duplicated.push(event.event_id)
        else if (entry === undefined) judgement.invented.push(event.event_id)
        else if (!entry.contents.some((sent) => isSame(sent, event))) judgement.altered.push(event.event_id)
        seen.add(event.event_id)
      }
      for (const [id, entry] of known) if (entry.acknowledged && !seen.has(id)) judgement.lost.push(id)
      return judgement
    },
  }
}

function isSame(sent: SampleEvent, stored: StoredEvent): boolean {
  return (
    Date.parse(sent.occurred_at) * 1_000 === stored.occurred_at_us &&
    String(sent.user_id) === stored.user_id &&
    sent.event_type === stored.event_type &&
    JSON.stringify(sent.properties) === JSON.stringify(JSON.parse(stored.properties))
  )
}

/** What is wrong with a pair of answers: `least` was taken before the questions, `most` after the answers. */
export function outOfBounds(
  least: Tally,
  most: Tally,
  topEvents: readonly { event_type: string; count: number }[],
  dau: readonly { date: string; dau: number }[],
): string[] {
  const wrong: string[] = []
  const check = (what: string, low: number, value: number, high: number) => {
    if (value < low || value > high) wrong.push(`${what}: ${value} is not in ${low} to ${high}`)
  }
  check(
    'all events',
    least.total,
    topEvents.reduce((n, { count }) => n + count, 0),
    most.total,
  )
  const counts = new Map(topEvents.map(({ event_type, count }) => [event_type, count]))
  for (const type of new Set([...counts.keys(), ...least.types.keys()])) {
    check(type, least.types.get(type) ?? 0, counts.get(type) ?? 0, most.types.get(type) ?? 0)
  }
  const days = new Map(dau.map((day) => [day.date, day.dau]))
  for (const date of new Set([...days.keys(), ...least.users.keys()])) {
    check(
      `users of ${date}`,
      least.users.get(date)?.size ?? 0,
      days.get(date) ?? 0,
      most.users.get(date)?.size ?? 0,
    )
  }
  return wrong
}
