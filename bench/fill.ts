import { randomFillSync } from 'node:crypto'
import { ID_BYTES } from '../src/event/id.ts'
import { MICROS_PER_DAY, parseInstant } from '../src/event/time.ts'
import type { Day } from '../src/event/time.ts'
import type { Sqlite } from '../src/store/sqlite.ts'
import type { IdVersion } from './benchmark.ts'
import { largeDay, makeEvents } from './events.ts'

/** Rows that are there before a load begins: of days before the load's own, in the order in which they would have come. */

export const INSERT = `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT DO NOTHING`

const EARLIER_US = 40 * MICROS_PER_DAY
/** The events repeat after so many, their ids do not. */
const EVENTS_MADE = 20_000
/** Large, because this is not what is measured. */
const ROWS_PER_TRANSACTION = 100_000

/** In SQL alone: a call for every row would take longer than what is measured. */
export function fillEvents(db: Sqlite, rows: number, id_version: IdVersion): void {
  if (rows === 0) return
  db.exec(
    'CREATE TEMP TABLE made (n INTEGER PRIMARY KEY, at INTEGER, user_id TEXT, event_type TEXT, properties TEXT)',
  )
  const make = db.prepare('INSERT INTO made VALUES (?, ?, ?, ?, ?)')
  const id =
    id_version === 7 ? `unhex(format('%012x', ${FIRST_MS} + i) || hex(randomblob(10)))` : 'randomblob(16)'
  // A random id changes any page of its index, so all of them are kept until they are written, once.
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

/** Rows of one day, as they would have come. */
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

/** Of the first time-ordered id: before those of the load. */
const FIRST_MS = Date.UTC(2025, 0, 1)
