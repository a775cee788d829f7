import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import { serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { addDays, createReference } from '../support/reference.ts'
import type { Condition, Reference } from '../support/reference.ts'
import { idFor, pick, seeded, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { get, post } from '../support/store.ts'

/**
 * Random histories through the real service, and every answer compared with a plain reference.
 * One history again: FROSTLINE_SEED=17 node tests/run.js differential. More of them: FROSTLINE_SEEDS=2000.
 * The histories of a block share a store, each with days and ids of its own, because a start costs more than a history.
 */
const ONLY_SEED = process.env['FROSTLINE_SEED']
const SEEDS = howMany('differential_histories')
const SEEDS_PER_STORE = 25

const STEPS = howMany('steps_of_a_history')
const QUESTIONS_PER_STEP = 2
const BATCH_EVENTS_MAX = 60
const US_PER_DAY = 86_400_000_000

const USERS = [...Array.from({ length: 14 }, (_, i) => i), '3', 'anna', "o'hara", 'a,b', 'x\\y', '🐧', 'Ω"']
// U+FF5E and U+1F427: in UTF-16 order the second comes first, in byte order last.
const TYPES = ['app_open', 'purchase', 'view item', 'a,b', "it's", '～', '🐧'] as const
const TEXTS = [
  'UA',
  'PL',
  '7',
  '7.50',
  '',
  'true',
  'null',
  'it’s "ok"',
  'a,b\\c',
  '🐧',
  'line\nbreak',
  '\u0000nul',
] as const
const NUMBERS = [0, 7, 7.5, -3, 1e21, 0.1, 12_345_678_901_234] as const
const KEYS = ['country', 'price', 'flag', 'a/b', 'c~d', 'e.f', '$g', '🔑', 'h"i', '__proto__', '0'] as const

/** One random history: what it does, and how the reference follows. */
class History {
  readonly #random: () => number
  readonly #reference: Reference = createReference()
  readonly #store: InProcessStore
  readonly #first: string
  /** Distinct days with events, and from one to the next. */
  readonly #days: number
  readonly #stride: number
  readonly #sent: SampleEvent[] = []
  #ids = 0
  readonly seed: number

  constructor(seed: number, store: InProcessStore) {
    this.seed = seed
    this.#random = seeded(seed)
    this.#store = store
    // Far enough from the next seed's days for the longest question, and never in the future. Seeds go back in time, so that a
    // history's compactions close none of the days that others left open.
    this.#first = addDays('2022-01-01', (seed % 180) * -100 - this.#below(20))
    this.#days = 2 + this.#below(4)
    // With gaps, five days reach over weeks, and a compaction has five files to write and not thirty.
    this.#stride = pick(this.#random, [1, 1, 2, 4, 5])
  }

  get #span(): number {
    return this.#days * this.#stride
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n)
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step(step)
      await Promise.all(Array.from({ length: QUESTIONS_PER_STEP }, () => this.#ask()))
    }
  }

  async #step(step: number): Promise<void> {
    const dice = step === 0 ? 0 : this.#random()
    if (dice < 0.5) await this.#post()
    else if (dice < 0.6) await this.#import()
    else if (dice < 0.8) await this.#compact()
    else if (dice < 0.98) {
      // Both at once. What is acknowledged is counted, wherever the compaction stands.
      const compaction = this.#compact()
      try {
        await this.#post()
        await this.#ask()
      } finally {
        await compaction
      }
    } else {
      await this.#store.stop()
      await this.#store.start()
    }
  }

  async #post(): Promise<void> {
    const batch = Array.from({ length: 1 + this.#below(BATCH_EVENTS_MAX) }, () => this.#event())
    const invalid = this.#chance(0.1) ? [{ ...batch[0], event_id: 'none' }] : []
    const reply = await post(`${this.#store.url}/events`, [...invalid, ...batch])
    const expected = this.#reference.store(batch)
    const { received, accepted, duplicates, rejected } = reply.json
    this.#equal(
      { status: reply.status, received, accepted, duplicates, rejected },
      { status: 200, received: batch.length + invalid.length, ...expected, rejected: invalid.length },
      'POST /events',
    )
  }

  async #import(): Promise<void> {
    const rows = Array.from({ length: 1 + this.#below(BATCH_EVENTS_MAX) }, () => this.#event())
    const report = await this.#store.importCsv(toCsv(rows, pick(this.#random, ['\n', '\r\n'])))
    const { accepted, duplicates } = this.#reference.store(rows)
    this.#equal(
      {
        rows: report.rows,
        imported: report.imported,
        duplicates: report.duplicates,
        rejected: report.rejected,
      },
      { rows: rows.length, imported: accepted, duplicates, rejected: 0 },
      'import',
    )
  }

  async #compact(): Promise<void> {
    const midnight_us = Date.parse(`${this.#first}T00:00:00Z`) * 1_000
    await this.#store.compact({
      now_us: midnight_us + Math.floor(this.#random() * (this.#span + 3) * US_PER_DAY),
      hot_days: this.#below(3),
    })
  }

  /** Mostly something new; else what was sent before, as it was or changed, perhaps within this very batch. */
  #event(): SampleEvent {
    const dice = this.#random()
    const earlier = this.#sent.length > 0 && dice < 0.3 ? pick(this.#random, this.#sent) : null
    const event = earlier !== null && dice < 0.18 ? earlier : this.#fresh()
    const event_id = earlier?.event_id ?? event.event_id
    const sent = { ...event, event_id: this.#chance(0.05) ? event_id.toUpperCase() : event_id }
    this.#sent.push(sent)
    return sent
  }

  #fresh(): SampleEvent {
    this.#ids += 1
    const random = this.#random
    return {
      event_id: idFor(`${this.seed}:${this.#ids}`),
      occurred_at: this.#instant(),
      user_id: pick(random, USERS),
      event_type: pick(random, TYPES),
      properties: this.#properties(),
    }
  }

  #instant(): string {
    const date = addDays(this.#first, this.#below(this.#days) * this.#stride)
    const two = (n: number) => String(this.#below(n)).padStart(2, '0')
    const time = `${two(24)}:${two(60)}:${two(60)}`
    const dice = this.#below(8)
    if (dice === 0) return `${date}T00:00:00Z`
    if (dice === 1) return `${date}T23:59:59.999999Z`
    if (dice === 2) return `${date} ${time}`
    // Close enough to midnight for the offset to change the day.
    if (dice === 3) return `${date}T0${this.#below(6)}:30:00.5+03:00`
    return `${date}T${time}.${String(this.#below(1_000_000)).padStart(6, '0')}Z`
  }

  #properties(): Record<string, unknown> {
    // With no prototype, "__proto__" is a key like any other, as it is in JSON.
    const properties = Object.create(null) as Record<string, unknown>
    for (let n = this.#below(4); n > 0; n -= 1) properties[pick(this.#random, KEYS)] = this.#value()
    return properties
  }

  #value(): unknown {
    const values = [...TEXTS, ...NUMBERS, true, false, null, [1, 'x'], { k: 'v' }]
    return this.#chance(0.5) ? pick(this.#random, ['UA', 'PL', 7, 7.5]) : pick(this.#random, values)
  }

  async #ask(): Promise<void> {
    const query = new URLSearchParams()
    const conditions = this.#conditions(query)
    const from = addDays(this.#first, this.#below(this.#span + 2) - 2)
    const kind = pick(this.#random, ['dau', 'top-events', 'retention'] as const)
    let to = addDays(from, this.#below(this.#span + 2))
    let expected: unknown
    if (kind === 'retention') {
      const window = pick(this.#random, ['day', 'week'] as const)
      const windows = 1 + this.#below(5)
      query.set('start_date', from)
      query.set('windows', String(windows))
      query.set('window', window)
      to = addDays(from, (windows + 1) * (window === 'day' ? 1 : 7) - 1)
      expected = this.#reference.retention(from, window, windows, conditions)
    } else {
      query.set('from', from)
      query.set('to', to)
      const limit = 1 + this.#below(TYPES.length)
      if (kind === 'top-events') query.set('limit', String(limit))
      const range = { from, to, conditions }
      expected = kind === 'dau' ? this.#reference.dau(range) : this.#reference.topEvents(range, limit)
    }
    const path = `/stats/${kind}?${query}`
    const { json } = await get<{ meta?: { hot_events: number; cold_events: number } }>(
      `${this.#store.url}${path}`,
    )
    const { meta, ...answer } = json
    this.#equal(answer, expected, path)
    this.#equal(meta!.hot_events + meta!.cold_events, this.#reference.count(from, to), `meta of ${path}`)
  }

  #conditions(query: URLSearchParams): Condition[] {
    return Array.from({ length: Math.max(0, this.#below(4) - 1) }, () => {
      const field = pick(this.#random, ['event_type', 'user_id', 'properties.'] as const)
      const asked = { event_type: TYPES, user_id: USERS.map(String), 'properties.': ASKED }[field]
      const values = Array.from({ length: 1 + this.#below(3) }, () => pick(this.#random, asked))
      const name = field === 'properties.' ? field + pick(this.#random, KEYS) : field
      const text = values.map((value) => value.replaceAll(/[,\\]/g, '\\$&')).join(',')
      if (field === 'properties.' && this.#chance(0.5) && !query.has(name)) query.append(name, text)
      else query.append('segment', `${name}:${text}`)
      return { field: name, values }
    })
  }

  #equal(actual: unknown, expected: unknown, what: string): void {
    assert.deepEqual(
      actual,
      expected,
      `${what} differs from the reference; run it alone: FROSTLINE_SEED=${this.seed} node tests/run.js differential`,
    )
  }
}

/** What may be asked of a property: texts that a query can carry, and numbers in several spellings. */
const ASKED = [
  ...TEXTS.filter((text) => text !== '' && !text.includes('\0')),
  '7.0',
  '07',
  '0.10',
  '1e21',
  'x',
]

function blocks(): number[][] {
  if (ONLY_SEED !== undefined) return [[Number(ONLY_SEED)]]
  const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1)
  return Array.from({ length: Math.ceil(SEEDS / SEEDS_PER_STORE) }, (_, i) =>
    seeds.slice(i * SEEDS_PER_STORE, (i + 1) * SEEDS_PER_STORE),
  )
}

describe('differential', () => {
  for (const seeds of blocks()) {
    describe(`seeds ${seeds[0]} to ${seeds.at(-1)}`, () => {
      const store = serveStore()

      for (const seed of seeds) {
        it(`answers history ${seed} like the reference`, () => new History(seed, store).run())
      }
    })
  }
})
