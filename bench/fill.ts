import { randomFillSync } from 'node:crypto'
import { ID_BYTES } from '../src/event-id.ts'
import type { Sqlite } from '../src/sqlite.ts'
import { MICROS_PER_DAY, parseInstant } from '../src/time.ts'
import type { Day } from '../src/time.ts'
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

export function fillEvents(db: Sqlite, rows: number, id_version: IdVersion): void {
  if (rows === 0) return
  const made = makeEvents(EVENTS_MADE).events.map(
    (event) =>
      [
        parseInstant(event.occurred_at)! - EARLIER_US,
        event.user_id,
        event.event_type,
        JSON.stringify(event.properties),
      ] as const,
  )
  const insert = db.prepare(INSERT)
  const id = Buffer.alloc(ID_BYTES)
  const insertAll = db.transaction((from: number, to: number) => {
    for (let n = from; n < to; n += 1) {
      randomFillSync(id)
      if (id_version === 7) id.writeUIntBE(FIRST_MS + n, 0, 6)
      insert.run(id, ...made[n % made.length]!)
    }
  })
  for (let n = 0; n < rows; n += ROWS_PER_TRANSACTION) insertAll(n, Math.min(rows, n + ROWS_PER_TRANSACTION))
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
