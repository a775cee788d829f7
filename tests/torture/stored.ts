import { join } from 'node:path'
import { openDuck, sqlText } from '../../src/duckdb.ts'
import { formatEventId } from '../../src/event-id.ts'
import type { Layout } from '../../src/layout.ts'
import { openStore } from '../../src/sqlite.ts'
import { filesBelow } from '../in-process.ts'
import type { StoredEvent } from './oracle.ts'

/** Every visible event of a store, by the visibility rule and past the service. */
export async function readStored(layout: Layout): Promise<StoredEvent[]> {
  const db = openStore(layout.database)
  const duck = await openDuck({ threads: 1, memory_mb: 512, spill: layout.spill })
  try {
    const hot = db.prepare(
      `SELECT event_id, occurred_at AS occurred_at_us, user_id, event_type, properties
       FROM events LEFT JOIN cold_days USING (day) WHERE seq > coalesce(sealed_through, 0)`,
    )
    const rows = hot.all() as (Omit<StoredEvent, 'event_id'> & { event_id: Buffer })[]
    const stored = rows.map((row): StoredEvent => ({ ...row, event_id: formatEventId(row.event_id) }))
    const connection = await duck.connect()
    for (const path of db.prepare('SELECT path FROM cold_files').pluck().all() as string[]) {
      const reader = await connection.runAndReadAll(
        `SELECT event_id::VARCHAR AS event_id, epoch_us(occurred_at)::DOUBLE AS occurred_at_us, user_id, event_type, properties
         FROM read_parquet(${sqlText(join(layout.cold, path))})`,
      )
      for (const row of reader.getRowObjects()) stored.push(row as unknown as StoredEvent)
    }
    connection.closeSync()
    return stored
  } finally {
    duck.close()
    db.close()
  }
}

/** Files and rows that a finished compaction should have cleared away. */
export function findStrays(layout: Layout): string[] {
  const db = openStore(layout.database)
  try {
    const listed = new Set(db.prepare('SELECT path FROM cold_files').pluck().all())
    const segments = new Set(db.prepare('SELECT path FROM id_segments').pluck().all())
    const on_disk = new Set(filesBelow(layout.cold))
    const sealed = db
      .prepare('SELECT count(*) FROM events JOIN cold_days USING (day) WHERE seq <= sealed_through')
      .pluck()
      .get() as number
    return [
      ...[...on_disk].filter((path) => !listed.has(path)).map((path) => `cold/${path} is not listed`),
      ...[...listed]
        .filter((path) => !on_disk.has(String(path)))
        .map((path) => `cold/${String(path)} is missing`),
      ...filesBelow(layout.ids)
        .filter((path) => !segments.has(path))
        .map((path) => `ids/${path} is not listed`),
      ...filesBelow(layout.staging).map((path) => `staging/${path}`),
      ...filesBelow(layout.spill).map((path) => `spill/${path}`),
      ...(sealed > 0 ? [`${sealed} sealed rows in hot`] : []),
      ...(db.prepare('SELECT path FROM replaced_files').pluck().all() as string[]).map(
        (p) => `replaced ${p}`,
      ),
    ]
  } finally {
    db.close()
  }
}
