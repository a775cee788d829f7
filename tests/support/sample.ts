import { createHash } from 'node:crypto'
import type { Sqlite } from '../../src/store/sqlite.ts'

/** Deterministic events for tests. */

export interface SampleEvent {
  event_id: string
  occurred_at: string
  user_id: string | number
  event_type: string
  properties: Record<string, unknown>
}

/** A generator of numbers from 0 (included) to 1: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function pick<T>(random: () => number, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!
}

/** A valid UUID that is the same for the same text. */
export function idFor(text: string): string {
  const hex = createHash('md5').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

export function sampleEvent(random: () => number, from: string, days: number): SampleEvent {
  const start = Date.parse(`${from}T00:00:00Z`)
  return {
    event_id: idFor(`${random()}:${random()}`),
    occurred_at: new Date(start + Math.floor(random() * days * 86_400_000)).toISOString(),
    user_id: Math.floor(random() * 50),
    event_type: pick(random, ['app_open', 'view_item', 'add_to_cart', 'purchase', 'logout']),
    properties: { country: pick(random, ['PL', 'UA', 'SE', 'DE']), price: Math.floor(random() * 100) / 4 },
  }
}

export function sampleEvents(seed: number, count: number, from = '2025-08-01', days = 10): SampleEvent[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => sampleEvent(random, from, days))
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** CSV in the import's columns. */
export function toCsv(events: readonly SampleEvent[], newline = '\n'): string {
  const rows = events.map((e) =>
    [e.event_id, e.occurred_at, String(e.user_id), e.event_type, JSON.stringify(e.properties)]
      .map(quote)
      .join(','),
  )
  return ['event_id,occurred_at,user_id,event_type,properties_json', ...rows, ''].join(newline)
}

/** Puts an event into hot without the service, as another process would. */
export function insertEvent(db: Sqlite, event: SampleEvent): void {
  db.prepare(
    'INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)',
  ).run(
    Buffer.from(event.event_id.replaceAll('-', ''), 'hex'),
    Date.parse(event.occurred_at) * 1_000,
    String(event.user_id),
    event.event_type,
    JSON.stringify(event.properties),
  )
}
