import Database from 'better-sqlite3'
import { parseInstant } from '../src/event/time.ts'
import type { Sqlite } from '../src/store/sqlite.ts'
import type { IdVersion } from './benchmark.ts'
import { makeEvents } from './events.ts'
import { fillEvents, INSERT } from './fill.ts'
import { serveApart } from './process.ts'

/**
 * What the machine can do at most with this store: better-sqlite3 alone inserts the same rows. No HTTP, no JSON, no validation; every value
 * is ready before the clock starts. The table is plain: the unique id and nothing else that costs.
 */

/** Either to make its store with the rows that are there before, or to insert the load's rows into a copy of it. */
export type LimitOrder =
  | { act: 'fill'; database: string; rows: number; id_version: IdVersion }
  | { act: 'insert'; database: string; events: number; id_version: IdVersion }

const ROWS_PER_TRANSACTION = 1_000

function openPlain(database: string): Sqlite {
  const db = new Database(database)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec(
    `CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, event_id BLOB NOT NULL UNIQUE, occurred_at INTEGER NOT NULL,
       user_id TEXT NOT NULL, event_type TEXT NOT NULL, properties TEXT NOT NULL) STRICT`,
  )
  return db
}

/** Seconds that the rows took. */
function insertAlone(db: Sqlite, events: number, id_version: IdVersion): number {
  const rows = makeEvents(events, id_version).events.map((event) => [
    Buffer.from(event.event_id.replaceAll('-', ''), 'hex'),
    parseInstant(event.occurred_at),
    event.user_id,
    event.event_type,
    JSON.stringify(event.properties),
  ])
  const insert = db.prepare(INSERT)
  const insertAll = db.transaction((from: number) => {
    for (const row of rows.slice(from, from + ROWS_PER_TRANSACTION)) insert.run(...row)
  })
  const started = performance.now()
  for (let from = 0; from < rows.length; from += ROWS_PER_TRANSACTION) insertAll(from)
  return (performance.now() - started) / 1_000
}

serveApart<LimitOrder, number>((order) => {
  const db = openPlain(order.database)
  try {
    if (order.act === 'insert') return insertAlone(db, order.events, order.id_version)
    fillEvents(db, order.rows, order.id_version)
    return 0
  } finally {
    db.close()
  }
})
