import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuck, sqlTextList } from '../../src/store/duckdb.ts'
import type { Duck } from '../../src/store/duckdb.ts'
import { formatEventId } from '../../src/event/id.ts'
import type { Layout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'

/** What is visible in a store by the visibility rule, read past the service and in words of its own. */
export const VISIBLE_HOT = 'events LEFT JOIN cold_days USING (day) WHERE seq > coalesce(sealed_through, 0)'

/** An event as it lies in the store. */
export interface StoredEvent {
  event_id: string
  occurred_at_us: number
  user_id: string
  event_type: string
  properties: string
}

/** Every visible event, hot and cold; one that is visible twice stands there twice. */
export async function readStored(layout: Layout): Promise<StoredEvent[]> {
  const duck = await (shared ??= openShared())
  const db = openStore(layout.database)
  try {
    const hot = db.prepare(
      `SELECT event_id, occurred_at AS occurred_at_us, user_id, event_type, properties
       FROM ${VISIBLE_HOT}`,
    )
    const rows = hot.all() as (Omit<StoredEvent, 'event_id'> & { event_id: Buffer })[]
    const stored = rows.map((row): StoredEvent => ({ ...row, event_id: formatEventId(row.event_id) }))
    const connection = await duck.connect()
    const paths = db.prepare('SELECT path FROM cold_files').pluck().all() as string[]
    if (paths.length > 0) {
      const reader = await connection.runAndReadAll(
        `SELECT event_id::VARCHAR AS event_id, epoch_us(occurred_at)::DOUBLE AS occurred_at_us, user_id, event_type, properties
         FROM read_parquet(${sqlTextList(paths.map((path) => join(layout.cold, path)))})`,
      )
      for (const row of reader.getRowObjects()) stored.push(row as unknown as StoredEvent)
    }
    connection.closeSync()
    return stored
  } finally {
    db.close()
  }
}

/** One for all looks: to open DuckDB takes longer than to read a small store. */
let shared: Promise<Duck> | undefined

async function openShared(): Promise<Duck> {
  const spill = mkdtempSync(join(tmpdir(), 'frostline-'))
  const duck = await openDuck({ threads: 1, memory_mb: 512, spill })
  // A file that is put back under its name is read anew.
  const connection = await duck.connect()
  await connection.run('SET enable_external_file_cache = false')
  connection.closeSync()
  process.once('exit', () => {
    duck.close()
    rmSync(spill, { recursive: true })
  })
  return duck
}

/** The id of every visible event, sorted. */
export async function visibleIds(layout: Layout): Promise<string[]> {
  return (await readStored(layout)).map(({ event_id }) => event_id).toSorted()
}
