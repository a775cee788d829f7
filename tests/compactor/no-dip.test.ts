import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { readGeneration } from '../../src/store/catalog.ts'
import { MICROS_PER_DAY } from '../../src/event/time.ts'
import { howMany } from '../support/counts.ts'
import { serveStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { get, post } from '../support/store.ts'

/**
 * Readers ask without pause while days are sealed and merged under writers. An answer that is too small by one row for one moment is
 * found if a question falls into that moment, so there are many moments and questions all the time.
 */

const CHANGES_MIN = howMany('no_dip_changes')
const READERS = howMany('no_dip_readers')
const WRITERS = 2
const BATCH_EVENTS = 8
const DAYS = 4
const RANGE = 'from=2025-08-01&to=2025-08-04'
const LAST_DAY = '2025-08-04'
const BEGIN_US = Date.parse('2025-08-01T00:00:00Z') * 1_000

const isOfLastDay = ({ occurred_at }: SampleEvent) => occurred_at.startsWith(LAST_DAY)
const isFromPoland = ({ properties }: SampleEvent) => properties['country'] === 'PL'

interface Answer {
  data: { event_type: string; count: number; dau: number }[]
}

/** What a question may answer: at least what was acknowledged when it was asked, at most what has been sent when it is answered. */
interface Asked {
  path: string
  read(answer: Answer): number
  least(): number
  most(): number
}

/** What a bound is made of. */
interface Told {
  send(events: readonly SampleEvent[]): void
  acknowledge(events: readonly SampleEvent[]): void
}

/** Counts the events for which `holds`. */
function countOf(path: string, holds: (event: SampleEvent) => boolean): Asked & Told {
  let sent = 0
  let acknowledged = 0
  return {
    path,
    read: ({ data }) => data.reduce((n, { count }) => n + count, 0),
    least: () => acknowledged,
    most: () => sent,
    send(events) {
      sent += events.filter(holds).length
    },
    acknowledge(events) {
      acknowledged += events.filter(holds).length
    },
  }
}

/** Counts the users of the events for which `holds`. */
function usersOf(path: string, holds: (event: SampleEvent) => boolean): Asked & Told {
  const sent = new Set<unknown>()
  const acknowledged = new Set<unknown>()
  const take = (users: Set<unknown>, events: readonly SampleEvent[]) => {
    for (const event of events) if (holds(event)) users.add(event.user_id)
  }
  return {
    path,
    read: ({ data }) => data.reduce((n, { dau }) => n + dau, 0),
    least: () => acknowledged.size,
    most: () => sent.size,
    send: (events) => take(sent, events),
    acknowledge: (events) => take(acknowledged, events),
  }
}

describe(`${READERS} readers during ${CHANGES_MIN} compactions and merges`, () => {
  const home = serveStore()

  const all = countOf(`top-events?${RANGE}${slowSegments()}&limit=1000`, () => true)
  const questions = [
    all,
    countOf(`top-events?${RANGE}&segment=event_type:purchase&properties.country=PL`, (event) => {
      return event.event_type === 'purchase' && isFromPoland(event)
    }),
    usersOf(`dau?from=${LAST_DAY}&to=${LAST_DAY}`, isOfLastDay),
    usersOf(`dau?from=${LAST_DAY}&to=${LAST_DAY}&properties.country=PL`, (event) => {
      return isOfLastDay(event) && isFromPoland(event)
    }),
  ]

  const over = new AbortController()

  async function write(writer: number): Promise<void> {
    for (let n = 0; !over.signal.aborted; n += 1) {
      // Every other event is a new user's, so that the numbers of users grow all the time too.
      const events = sampleEvents(1_000 + writer * 1_000_000 + n, BATCH_EVENTS, '2025-08-01', DAYS).map(
        (event, i): SampleEvent => ({ ...event, user_id: `${writer}-${n}-${i >> 1}` }),
      )
      for (const question of questions) question.send(events)
      const { status, json } = await post(`${home.url}/events`, events)
      assert.deepEqual([status, json['accepted']], [200, events.length])
      for (const question of questions) question.acknowledge(events)
    }
  }

  async function ask({ path, read, least, most }: Asked): Promise<void> {
    const acknowledged = least()
    const { status, json } = await get<Answer>(`${home.url}/stats/${path}`)
    assert.equal(status, 200, JSON.stringify(json))
    const answer = read(json)
    assert.ok(answer >= acknowledged, `${path}: ${answer}, and ${acknowledged} were acknowledged before`)
    assert.ok(answer <= most(), `${path}: ${answer}, and only ${most()} were sent`)
  }

  let answers = 0
  async function askAllTheTime(reader: number): Promise<void> {
    while (!over.signal.aborted) {
      await ask(questions[reader % questions.length]!)
      answers += 1
    }
  }

  const made = { seals: 0, merges: 0, transactions: 0 }
  async function compactAllTheTime(): Promise<void> {
    for (let runs = 0; made.seals + made.merges < CHANGES_MIN && !over.signal.aborted;) {
      // One day more in each of the first runs: then the days come to five files, and to their merges, in different runs.
      const days = Math.min(runs + 1, DAYS)
      const { files, merged_files } = await home.compact({ now_us: BEGIN_US + days * MICROS_PER_DAY })
      // A day is merged when it has five files, and then there is one.
      const merges = merged_files / 5
      made.merges += merges
      made.seals += files - merges
      // The days of a run are sealed together, and merged one by one.
      made.transactions += merges + (files > merges ? 1 : 0)
      if (files > 0) runs += 1
      // A run that finds nothing never gives up its turn by itself, and then nobody could write.
      else await setImmediate()
    }
  }

  /** Whoever ends, well or not, ends all. */
  const untilOver = (work: Promise<void>) => work.finally(() => over.abort())

  it('every answer lies between what was acknowledged and what was sent', async (t) => {
    await Promise.all([
      untilOver(compactAllTheTime()),
      ...Array.from({ length: WRITERS }, (_, n) => untilOver(write(n))),
      ...Array.from({ length: READERS }, (_, n) => untilOver(askAllTheTime(n))),
    ])
    t.diagnostic(`${made.seals} days sealed, ${made.merges} merged, ${answers} answers, ${all.most()} events`)
    // Every change of what is cold raises the generation by one, and so does each time that segments of ids are put together.
    assert.ok(home.inSqlite(readGeneration) >= made.transactions)
    assert.ok(made.seals + made.merges >= CHANGES_MIN && made.merges >= CHANGES_MIN / 8)
    assert.ok(answers >= CHANGES_MIN, `${answers} answers`)
    for (const question of questions) {
      assert.equal(question.least(), question.most())
      await ask(question)
    }
  })
})

/** Segments that hold for every event: a question that lasts is one whose files are replaced and deleted under it. */
function slowSegments(): string {
  const others = Array.from({ length: 90 }, (_, n) => n)
  return others
    .slice(0, 6)
    .map((n) => `&segment=properties.country:PL,UA,SE,DE,${n},${others.join(',')}`)
    .join('')
}
