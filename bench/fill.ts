import { randomFillSync } from 'node:crypto'
import { ID_BYTES } from '../src/event/id.ts'
import { MICROS_PER_DAY, parseInstant } from '../src/event/time.ts'
import type { Day } from '../src/event/time.ts'
import type { Sqlite } from '../src/store/sqlite.ts'
import type { IdVersion } from './benchmark.ts'
import { largeDay, makeEvents } from './events.ts'

/** Fills the hot tier before a load starts. The rows are of days before those of the load. */

export const INSERT = `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO NOTHING`

const EARLIER_US = 40 * MICROS_PER_DAY
/** The events repeat after this number; their ids do not. */
const EVENTS_MADE = 20_000
/** Large, because filling is not measured. */
const ROWS_PER_TRANSACTION = 100_000

/** Inserts with a single SQL statement: one call per row would take longer than the measurement. */
export function fillEvents(db: Sqlite, rows: number, id_version: IdVersion): void {
  if (rows === 0) return
  db.exec(
    'CREATE TEMP TABLE made (n INTEGER PRIMARY KEY, at INTEGER, user_id TEXT, event_type TEXT, properties TEXT)',
  )
  const make = db.prepare('INSERT INTO made VALUES (?, ?, ?, ?, ?)')
  const id =
    id_version === 7 ? `unhex(format('%012x', ${FIRST_MS} + i) || hex(randomblob(10)))` : 'randomblob(16)'
  // Random ids dirty pages all over the index. A large cache keeps them, so that each page is written once.
  db.pragma('cache_size = -2000000')
  db.transaction(() => {
    for (const [n, event] of makeEvents(EVENTS_MADE).events.entries())
      make.run(
        n,
        parseInstant(event.occurred_at)! - EARLIER_US,
        event.user_id,
        event.event_type,
        JSON.stringify(event.properties),
      )
    db.prepare(
      `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
       WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < ? - 1)
       SELECT ${id}, at, user_id, event_type, properties FROM numbers JOIN made ON n = i % ${EVENTS_MADE}`,
    ).run(rows)
  })()
  db.exec('DROP TABLE made')
  db.pragma('wal_checkpoint(TRUNCATE)')
}

/** Inserts rows of one day in the order of their arrival. */
export function fillDay(db: Sqlite, day: Day, rows: number): void {
  const insert = db.prepare(INSERT)
  const id = Buffer.alloc(ID_BYTES)
  let open = 0
  db.exec('BEGIN')
  for (const part of largeDay(rows)) {
    for (const { at_us, user_id, event_type, properties } of part) {
      randomFillSync(id)
      insert.run(id, day * MICROS_PER_DAY + at_us, user_id, event_type, JSON.stringify(properties))
    }
    open += part.length
    if (open < ROWS_PER_TRANSACTION) continue
    db.exec('COMMIT; BEGIN')
    open = 0
  }
  db.exec('COMMIT')
  db.pragma('wal_checkpoint(TRUNCATE)')
}

/** Time of the first version 7 id; before the ids of the load. */
const FIRST_MS = Date.UTC(2025, 0, 1)
