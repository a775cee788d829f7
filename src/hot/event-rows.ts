import type { Sqlite } from '../store/sqlite.ts'

/** Inserts rows into the hot tier, several per statement. */
export interface EventRows {
  /** @param occurred_at microseconds since 1970 */
  add(
    event_id: Uint8Array,
    occurred_at: number,
    user_id: string,
    event_type: string,
    properties: string,
  ): void
  /** Inserts the rows that are still buffered. */
  flush(): void
  /** Drops the buffered rows. */
  discard(): void
}

/** Running a statement costs as much as inserting three rows. */
const STATEMENT_ROWS = 64
const VALUES = 5

export function openEventRows(db: Sqlite): EventRows {
  const prepare = (rows: number) =>
    db.prepare<unknown[]>(
      `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
       VALUES ${Array.from({ length: rows }, () => '(?, ?, ?, ?, ?)').join(', ')}`,
    )
  const insertMany = prepare(STATEMENT_ROWS)
  const insertOne = prepare(1)
  let buffered: unknown[] = []
  return {
    add(...row) {
      buffered.push(...row)
      if (buffered.length < STATEMENT_ROWS * VALUES) return
      insertMany.run(buffered)
      buffered = []
    },
    flush() {
      for (let at = 0; at < buffered.length; at += VALUES) insertOne.run(buffered.slice(at, at + VALUES))
      buffered = []
    },
    discard() {
      buffered = []
    },
  }
}
