import { join } from 'node:path'
import { formatEventId } from '../src/event-id.ts'
import { openDuck, sqlTextList } from '../src/duckdb.ts'
import type { Layout } from '../src/layout.ts'
import { openStore } from '../src/sqlite.ts'

/** The id of every visible row, hot and cold, sorted; one that is visible twice stands there twice. */
export async function visibleIds(layout: Layout): Promise<string[]> {
  const db = openStore(layout.database)
  const hot = db
    .prepare(
      `SELECT event_id FROM events AS e LEFT JOIN cold_days AS c USING (day)
       WHERE e.seq > coalesce(c.sealed_through, 0)`,
    )
    .pluck()
    .all() as Buffer[]
  const files = db.prepare('SELECT path FROM cold_files').pluck().all() as string[]
  db.close()
  const ids = hot.map((id) => formatEventId(id, 0))
  if (files.length > 0) {
    const duck = await openDuck({ threads: 1, memory_mb: 256, spill: layout.spill })
    const connection = await duck.connect()
    const paths = sqlTextList(files.map((path) => join(layout.cold, path)))
    const reader = await connection.runAndReadAll(`SELECT event_id::VARCHAR FROM read_parquet(${paths})`)
    for (const [id] of reader.getRows()) ids.push(String(id))
    connection.closeSync()
    duck.close()
  }
  return ids.toSorted()
}
