import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { parseInstant } from '../src/time.ts'
import { makeEvents } from './events.ts'
import { serveApart } from './process.ts'

/**
 * What the machine can do at most with this store: better-sqlite3 alone inserts the same rows. No HTTP, no JSON, no validation; every value
 * is ready before the clock starts. The table is plain: the unique id and nothing else that costs.
 */

export interface LimitOrder {
  events: number
  batch: number
}

serveApart<LimitOrder, number>(({ events, batch }) => {
  const rows = makeEvents(events).events.map((event) => [
    Buffer.from(event.event_id.replaceAll('-', ''), 'hex'),
    parseInstant(event.occurred_at),
    event.user_id,
    event.event_type,
    JSON.stringify(event.properties),
  ])
  const folder = mkdtempSync(join(tmpdir(), 'frostline-limit-'))
  const db = new Database(join(folder, 'limit.db'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec(
    `CREATE TABLE events (seq INTEGER PRIMARY KEY, event_id BLOB NOT NULL UNIQUE, occurred_at INTEGER NOT NULL,
       user_id TEXT NOT NULL, event_type TEXT NOT NULL, properties TEXT NOT NULL) STRICT`,
  )
  const insert = db.prepare(
    `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (event_id) DO NOTHING`,
  )
  const insertAll = db.transaction((from: number) => {
    for (const row of rows.slice(from, from + batch)) insert.run(...row)
  })
  const started = performance.now()
  for (let from = 0; from < rows.length; from += batch) insertAll(from)
  const took_s = (performance.now() - started) / 1_000
  db.close()
  rmSync(folder, { recursive: true })
  return took_s
})
