import { join } from 'node:path'
import type { ColdFile } from '../store/catalog.ts'
import { readParquetSql } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'

/** Drops staged rows whose event id is already in the file or in the store. The check is exact: it joins on the id. */

/** Drops duplicates within the file. The first row in file order is kept. */
export async function dropCopiesInFile(connection: DuckConnection): Promise<void> {
  await connection.run(
    `INSERT INTO dropped SELECT record, day FROM staged
     JOIN (SELECT event_id, min(record) AS first FROM staged GROUP BY event_id HAVING count(*) > 1) USING (event_id)
     WHERE record > first`,
  )
}

/** Drops duplicates of rows in `files`. */
export async function dropCopiesOfCold(
  connection: DuckConnection,
  layout: Layout,
  files: readonly ColdFile[],
): Promise<void> {
  if (files.length === 0) return
  const paths = files.map((file) => join(layout.cold, file.path))
  await connection.run(
    `INSERT INTO dropped
     SELECT record, day FROM fresh SEMI JOIN ${readParquetSql(paths)} USING (event_id)`,
  )
}

/** Hot ids read at a time. */
const PAGE_ROWS = 50_000

/** Progress through the hot rows. */
export interface HotScan {
  /** Every committed row up to this seq has been compared. */
  through: number
}

/**
 * Drops duplicates of hot rows that were committed since the last scan, and advances the scan.
 * @returns the number of rows dropped, by day; empty if no row was dropped
 */
export async function dropCopiesOfHot(
  connection: DuckConnection,
  db: Sqlite,
  scan: HotScan,
): Promise<Map<number, number>> {
  await connection.run('CREATE OR REPLACE TEMP TABLE hot_ids (event_id UUID)')
  const page = db
    .prepare(`SELECT seq, event_id FROM events WHERE seq > ? ORDER BY seq LIMIT ${PAGE_ROWS}`)
    .raw()
  const appender = await connection.createAppender('hot_ids')
  const before = scan.through
  for (;;) {
    const rows = page.all(scan.through) as [number, Buffer][]
    for (const [seq, id] of rows) {
      appender.appendVarchar(id.toString('hex'))
      appender.endRow()
      scan.through = seq
    }
    appender.flushSync()
    if (rows.length < PAGE_ROWS) break
  }
  appender.closeSync()
  if (scan.through === before) return new Map()
  const reader = await connection.runAndReadAll(
    'INSERT INTO dropped SELECT record, day FROM fresh SEMI JOIN hot_ids USING (event_id) RETURNING day',
  )
  const lost = new Map<number, number>()
  for (const [day] of reader.getRows() as [number][]) lost.set(day, (lost.get(day) ?? 0) + 1)
  return lost
}
