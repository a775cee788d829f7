import assert from 'node:assert/strict'
import type { SampleEvent } from '../../support/sample.ts'
import { addDays } from '../../support/reference.ts'
import { get } from '../../support/store.ts'
import { findStrays } from '../torture/strays.ts'
import { readStored } from '../../support/visible.ts'
import type { StoredEvent } from '../../support/visible.ts'
import { DATES, FIRST_DATE, USERS } from './model.ts'
import type { Model } from './model.ts'
import type { Subject } from './subject.ts'

/** Compares the store with the model: by its answers, and by every row that is visible in it. */

interface Meta {
  hot_events: number
  cold_events: number
}

const TYPES_MAX = 1_000

/** Asks one of the questions about a random range of days, which may begin before the first event and end after the last. */
export async function compareAnswers(model: Model, subject: Subject, random: () => number): Promise<void> {
  const below = (n: number) => Math.floor(random() * n)
  const from = addDays(FIRST_DATE, below(DATES.length + 1) - 1)
  const to = addDays(from, below(DATES.length + 2))
  const user = random() < 0.1 ? String(below(USERS)) : null
  await compareRange(model, subject, { from, to, user, kinds: [random() < 0.5 ? 'dau' : 'top-events'] })
}

export interface Asked {
  from: string
  to: string
  user?: string | null
  kinds?: readonly ('dau' | 'top-events')[]
}

/** Questions about a range: both, of all users, unless told otherwise. Each tells the count of all events too. */
export async function compareRange(
  model: Model,
  { service, tally }: Subject,
  { from, to, user = null, kinds = ['dau', 'top-events'] }: Asked,
): Promise<void> {
  const conditions = user === null ? [] : [{ field: 'user_id', values: [user] }]
  const range = { from, to, conditions }
  const hot_events = countHot(model, from, to)
  const cold_events = model.answers.count(from, to) - hot_events
  for (const kind of kinds) {
    const query = `from=${from}&to=${to}${user === null ? '' : `&segment=user_id:${user}`}`
    const path = kind === 'dau' ? `dau?${query}` : `top-events?${query}&limit=${TYPES_MAX}`
    const { json } = await get<{ meta?: Meta }>(`${service.url}/stats/${path}`)
    const { meta, ...answer } = json
    const expected = kind === 'dau' ? model.answers.dau(range) : model.answers.topEvents(range, TYPES_MAX)
    assert.deepEqual(answer, expected, `the answer to ${path} is not the model's`)
    const read = { hot_events: meta!.hot_events, cold_events: meta!.cold_events }
    assert.deepEqual(read, { hot_events, cold_events }, `what was read for ${path} is not the model's`)
    tally.add('question')
  }
}

function countHot(model: Model, from: string, to: string): number {
  const dates = [...model.hot].map((id) => model.events.get(id)!.occurred_at.slice(0, 10))
  return dates.filter((date) => date >= from && date <= to).length
}

/** Reads every visible row past the service. */
export async function compareRows(model: Model, { home, tally }: Subject): Promise<void> {
  const stored = (await readStored(home.layout)).map(describeStored).toSorted()
  const expected = [...model.events.values()].map(describe).toSorted()
  const [wanted, found] = [new Set(expected), new Set(stored)]
  assert.deepEqual(
    {
      missing: expected.filter((row) => !found.has(row)),
      unknown: stored.filter((row) => !wanted.has(row)),
      twice: stored.filter((row, n) => row === stored[n - 1]),
    },
    { missing: [], unknown: [], twice: [] },
    'the visible rows are not those of the model',
  )
  tally.add('look at all rows')
}

/** After a compaction that came to its end nothing may lie about. */
export function compareFiles({ home }: Subject): void {
  assert.deepEqual(findStrays(home.layout), [])
}

/** The model's times are written with six digits of the second. */
function describe({ event_id, occurred_at, user_id, event_type, properties }: SampleEvent): string {
  const at_us = Date.parse(`${occurred_at.slice(0, 23)}Z`) * 1_000 + Number(occurred_at.slice(23, 26))
  return [event_id, at_us, user_id, event_type, JSON.stringify(properties)].join(' ')
}

function describeStored({ event_id, occurred_at_us, user_id, event_type, properties }: StoredEvent): string {
  return [event_id, occurred_at_us, user_id, event_type, JSON.stringify(JSON.parse(properties))].join(' ')
}
