import { join } from 'node:path'
import { joinSegments, placeSegment } from '../cold/id-index.ts'
import { groupDays, placeFiles, stageDays } from '../cold/parquet.ts'
import type { DayRows, StagedFiles } from '../cold/parquet.ts'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import { applyChange, readCatalog } from '../store/catalog.ts'
import type { ColdFile } from '../store/catalog.ts'
import { inParallel } from '../store/duckdb.ts'
import type { Duck, DuckConnection } from '../store/duckdb.ts'
import { dropCopiesInFile, dropCopiesOfCold, dropCopiesOfHot } from './dedupe.ts'
import type { HotScan } from './dedupe.ts'
import type { ImportDeps } from './job.ts'

/**
 * Publishes staged rows as cold files: drops duplicates, writes one file per day, and publishes all files in
 * one transaction.
 * @param connection used to compare staged rows with stored events
 * @param remember called in the publishing transaction; outside of any if there is nothing to publish
 * @returns the published files
 */
export async function publishNewRows(
  deps: ImportDeps,
  duck: Duck,
  connection: DuckConnection,
  remember: () => void,
): Promise<ColdFile[]> {
  const { db, layout, disk, progress } = deps
  const scan: HotScan = { through: 0 }
  await progress.during('looking for duplicates', null, async () => {
    await dropCopiesInFile(connection)
    await dropCopiesOfCold(connection, layout, readCatalog(db).files)
    await dropCopiesOfHot(connection, db, scan)
  })
  failpoint('import.compared')
  const groups = groupDays(await countDays(connection))
  const total = groups.reduce((n, days) => n + days.length, 0)
  let done = 0
  const written = new Map<number, StagedFiles>()
  await inParallel(duck, [...groups.keys()], Math.min(deps.threads, WRITERS_MAX), async (n, writer) => {
    const days = groups[n]!
    progress.step('writing', done, total, formatDay(days[0]!.day))
    written.set(n, await writeDays(deps, writer, days))
    done += days.length
  })
  for (;;) {
    // Most hot rows that were added meanwhile are compared before the write lock is taken, so that it is held briefly.
    await rewriteDays(await dropCopiesOfHot(connection, db, scan))
    if (written.size === 0) {
      remember()
      return []
    }
    const files = [...written.values()].flatMap((group) => group.files.map(({ file }) => file))
    const parts = [...written.values()].map(({ ids }) => ids!)
    const segment = await placeSegment(disk, layout, joinSegments(layout, parts), 'import')
    db.exec('BEGIN IMMEDIATE')
    try {
      const lost = await dropCopiesOfHot(connection, db, scan)
      if (lost.size === 0) {
        applyChange(db, {
          add: files,
          sets: [...written.values()].flatMap(({ sets }) => sets),
          remove: [],
          seal: [],
          segments: { add: [segment], remove: [] },
          at_us: deps.now_us(),
        })
        remember()
        failpoint('import.applied')
        db.exec('COMMIT')
        failpoint('import.committed')
        for (const { staged } of parts) disk.remove(staged)
        return files
      }
      db.exec('ROLLBACK')
      disk.remove(join(layout.ids, segment.path))
      await rewriteDays(lost)
    } finally {
      if (db.inTransaction) db.exec('ROLLBACK')
    }
  }

  /**
   * Rewrites the groups in which a day lost rows. Their files are not published yet, so they are deleted.
   */
  async function rewriteDays(lost: ReadonlyMap<Day, number>): Promise<void> {
    for (const [n, { files, ids }] of written) {
      if (!files.some(({ file }) => lost.has(file.day))) continue
      for (const { file } of files) disk.remove(join(layout.cold, file.path))
      disk.remove(ids!.staged)
      failpoint('import.withdrawn')
      const days = files
        .map(({ file: { day, rows } }) => ({ day, rows: rows - (lost.get(day) ?? 0) }))
        .filter(({ rows }) => rows > 0)
      if (days.length === 0) written.delete(n)
      else written.set(n, await writeDays(deps, connection, days))
    }
  }
}

async function countDays(connection: DuckConnection): Promise<DayRows[]> {
  const reader = await connection.runAndReadAll(
    'SELECT day, count(*)::DOUBLE FROM fresh GROUP BY day ORDER BY day',
  )
  return (reader.getRows() as [number, number][]).map(([day, rows]) => ({ day, rows }))
}

/**
 * Limit of the groups written in parallel: while DuckDB sorts one, the ids of another are read back.
 * Each writer holds the days of its group in memory.
 */
const WRITERS_MAX = 4

/** SQL of the fresh rows of these days. It filters by time, because the staged Parquet file has statistics for times but no day. */
function freshDays(first: Day, last: Day): string {
  return `SELECT * FROM staged ANTI JOIN (SELECT record FROM dropped WHERE day BETWEEN ${first} AND ${last}) USING (record)
    WHERE occurred_at >= TIMESTAMPTZ '${formatDay(first)} 00:00:00+00' AND occurred_at < TIMESTAMPTZ '${formatDay(last + 1)} 00:00:00+00'`
}

/** Writes the rows of days to their final paths, fsynced. The files are invisible until the catalog lists them. */
async function writeDays(
  { db, layout, disk }: ImportDeps,
  connection: DuckConnection,
  days: readonly DayRows[],
): Promise<StagedFiles> {
  const source = freshDays(days[0]!.day, days.at(-1)!.day)
  const staged = await stageDays(connection, db, disk, layout, days, source, 'import')
  await placeFiles(disk, layout, staged)
  return staged
}
