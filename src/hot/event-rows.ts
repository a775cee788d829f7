import type { Sqlite } from '../store/sqlite.ts'

/** Inserts rows into the hot tier. */
export interface EventRows {
  /** @param occurred_at microseconds since 1970 */
  add(
    event_id: Uint8Array,
    occurred_at: number,
    user_id: string,
    event_type: string,
    properties: string,
  ): void
  /** Inserts what is still waiting. */
  flush(): void
  /** Forgets it. */
  discard(): void
}

/** Rows a statement: to run one costs as much as three rows. */
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
  let waiting: unknown[] = []
  return {
    add(...row) {
      waiting.push(...row)
      if (waiting.length < STATEMENT_ROWS * VALUES) return
      insertMany.run(waiting)
      waiting = []
    },
    flush() {
      for (let at = 0; at < waiting.length; at += VALUES) insertOne.run(waiting.slice(at, at + VALUES))
      waiting = []
    },
    discard() {
      waiting = []
    },
  }
}
