import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import papaparse from 'papaparse'
import { howMany } from '../support/counts.ts'
import { serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { addDays, createReference } from '../support/reference.ts'
import type { Condition, Range } from '../support/reference.ts'
import { idFor, pick, seeded, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { post } from '../support/store.ts'

/**
 * Random pages of random events, with posts, imports and compactions between one page and the next, each compared with a plain reference.
 * One seed again: FROSTLINE_SEED=17 node tests/run.js events-differential. More of them: FROSTLINE_SEEDS=2000.
 */
const ONLY_SEED = process.env['FROSTLINE_SEED']
const SEEDS = howMany('page_walks')
const WALKS = 3
const US_PER_DAY = 86_400_000_000

const USERS = [1, 2, '2', 'anna', 'a,b', 'x\\y', '🐧', 'Ω"'] as const
const TYPES = ['app_open', 'purchase', 'a,b', "it's", '🐧\nline'] as const
const KEYS = ['country', 'a/b', '🔑', '__proto__'] as const
const VALUES = ['UA', 'PL', 'it’s "ok"', 'a,b\\c', 7, 7.5, true, null, ['x'], { k: '\u0000' }] as const
// Few, so that many events have the same.
const TIMES = [
  '00:00:00Z',
  '00:00:00.000001Z',
  '12:00:00',
  '12:00:00.5Z',
  '02:30:00.25+03:00',
  '23:59:59.999999Z',
] as const

async function walkSeed(seed: number, store: InProcessStore): Promise<void> {
  const random = seeded(seed)
  const reference = createReference()
  const below = (n: number) => Math.floor(random() * n)
  // Days of its own, and older than those of the seeds before, so that its compactions close none of theirs.
  const first = addDays('2022-01-01', (seed % 180) * -100)
  const days = 1 + below(12)
  let ids = 0

  function eventOf(): SampleEvent {
    ids += 1
    const properties = Object.create(null) as Record<string, unknown>
    for (let n = below(3); n > 0; n -= 1) properties[pick(random, KEYS)] = pick(random, VALUES)
    return {
      // Now and then an id that was there before.
      event_id: idFor(`events ${seed}:${random() < 0.1 ? below(ids) : ids}`),
      occurred_at: `${addDays(first, below(days))}T${pick(random, TIMES)}`,
      user_id: pick(random, USERS),
      event_type: pick(random, TYPES),
      properties,
    }
  }

  async function change(): Promise<void> {
    const dice = random()
    if (dice < 0.45) {
      const batch = Array.from({ length: 1 + below(30) }, eventOf)
      assert.equal((await post(`${store.url}/events`, batch)).status, 200)
      reference.store(batch)
    } else if (dice < 0.55) {
      const rows = Array.from({ length: 1 + below(30) }, eventOf)
      await store.importCsv(toCsv(rows))
      reference.store(rows)
    } else if (dice < 0.8) {
      const midnight_us = Date.parse(`${first}T00:00:00Z`) * 1_000
      await store.compact({ now_us: midnight_us + below(days + 2) * US_PER_DAY, hot_days: below(2) })
    }
  }

  function conditionsIn(query: URLSearchParams): Condition[] {
    return Array.from({ length: Math.max(0, below(4) - 1) }, () => {
      const field = pick(random, ['event_type', 'user_id', ...KEYS.map((key) => `properties.${key}`)])
      const asked = { event_type: TYPES, user_id: USERS }[field] ?? [
        'UA',
        'PL',
        '7.0',
        '7.5',
        'true',
        'a,b\\c',
      ]
      const values = Array.from({ length: 1 + below(3) }, () => String(pick<string | number>(random, asked)))
      const text = values.map((value) => value.replaceAll(/[,\\]/g, '\\$&')).join(',')
      if (random() < 0.5 && !query.has(field)) query.append(field, text)
      else query.append('segment', `${field}:${text}`)
      return { field, values }
    })
  }

  /** One question, paged to its end. */
  async function walk(): Promise<void> {
    const query = new URLSearchParams()
    const range: Range = {
      from: addDays(first, below(days + 1) - 1),
      to: addDays(first, days + below(3)),
      conditions: conditionsIn(query),
    }
    query.set('from', range.from)
    query.set('to', range.to)
    const at_start = reference.events(range)
    const seen: SampleEvent[] = []
    let path: string | null = `/events?${query}`
    while (path !== null) {
      const limit = 1 + below(25)
      const format = pick(random, ['json', 'ndjson', 'csv'] as const)
      const response: Response = await fetch(`${store.url}${path}&limit=${limit}&format=${format}`)
      const text = await response.text()
      assert.equal(response.status, 200, text)
      const page = readPage(format, text)
      const last = seen.at(-1)
      const rest = reference.events(range).filter((event) => last === undefined || isBehind(event, last))
      assert.deepEqual(page, rest.slice(0, limit), `${path} of seed ${seed}`)
      seen.push(...page)
      const link: string | undefined = /^<(.*)>/.exec(response.headers.get('link') ?? '')?.[1]
      assert.equal(link !== undefined, rest.length > limit, `a next page of ${path} of seed ${seed}`)
      path = link === undefined ? null : link.replace(/&limit=\d+&format=[a-z]+/, '')
      await change()
    }
    const once = new Set(seen.map(({ event_id }) => event_id))
    assert.equal(once.size, seen.length)
    assert.ok(at_start.every(({ event_id }) => once.has(event_id)))
  }

  for (let n = 0; n < WALKS; n += 1) {
    await change()
    await change()
    await walk()
  }
}

/** Whether an event comes after another in the order of reading. */
function isBehind(event: SampleEvent, other: SampleEvent): boolean {
  if (event.occurred_at !== other.occurred_at) return event.occurred_at < other.occurred_at
  return event.event_id < other.event_id
}

function readPage(format: 'json' | 'ndjson' | 'csv', text: string): unknown[] {
  if (format === 'json') return (JSON.parse(text) as { data: unknown[] }).data
  if (format === 'ndjson') {
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown)
  }
  const [header, ...rows] = papaparse.parse<string[]>(text, { newline: '\r\n', skipEmptyLines: true }).data
  assert.deepEqual(header, ['event_id', 'occurred_at', 'user_id', 'event_type', 'properties_json'])
  return rows.map(([event_id, occurred_at, user_id, event_type, properties]) => ({
    event_id,
    occurred_at,
    user_id,
    event_type,
    properties: JSON.parse(properties!) as unknown,
  }))
}

describe('events read back', () => {
  const store = serveStore()

  const seeds = ONLY_SEED === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(ONLY_SEED)]
  for (const seed of seeds) {
    it(`are those of the reference, page by page, with seed ${seed}`, () => walkSeed(seed, store))
  }
})
