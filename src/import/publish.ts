import { join } from 'node:path'
import { groupByRows } from '../cold/groups.ts'
import { joinSegments, placeSegment } from '../cold/id-index.ts'
import { placeFiles, stageDay } from '../cold/parquet.ts'
import type { StagedFile } from '../cold/parquet.ts'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import { applyChange, readCatalog } from '../store/catalog.ts'
import { inParallel } from '../store/duckdb.ts'
import type { Duck, DuckConnection } from '../store/duckdb.ts'
import { dropCopiesInFile, dropCopiesOfCold, dropCopiesOfHot } from './dedupe.ts'
import type { HotScan } from './dedupe.ts'
import type { ImportDeps } from './job.ts'

/** Publishes staged rows as cold files. */

/**
 * Drops duplicates, writes one file per day, and publishes all files in one transaction.
 * @param connection used to compare staged rows with stored events
 * @param remember called in the publishing transaction, or without one if there is nothing to publish
 * @returns the published files
 */
export async function publishNewRows(
  deps: ImportDeps,
  duck: Duck,
  connection: DuckConnection,
  remember: () => void,
): Promise<StagedFile[]> {
  const { db, layout, disk, progress } = deps
  const scan: HotScan = { through: 0 }
  await progress.during('looking for duplicates', null, async () => {
    await dropCopiesInFile(connection)
    await dropCopiesOfCold(connection, layout, readCatalog(db).files)
    await dropCopiesOfHot(connection, db, scan)
  })
  failpoint('import.compared')
  const written = new Map<Day, StagedFile>()
  const days = await countDays(connection)
  await inParallel(
    duck,
    groupByRows(days, GROUP_ROWS),
    Math.min(deps.threads, WRITERS_MAX),
    async (group, writer) => {
      const source = await cutOut(writer, group)
      for (const { day, rows } of group) {
        progress.step('writing', written.size, days.length, formatDay(day))
        written.set(day, await writeDay(deps, writer, day, rows, source))
      }
    },
  )
  for (;;) {
    // Compares most of the events that arrived meanwhile before
    // the write lock is taken, so that it is held briefly.
    await rewriteDays(await dropCopiesOfHot(connection, db, scan))
    if (written.size === 0) {
      remember()
      return []
    }
    const files = [...written.values()]
    const parts = files.map(({ ids }) => ids!)
    const segment = await placeSegment(disk, layout, joinSegments(layout, parts), 'import')
    db.exec('BEGIN IMMEDIATE')
    try {
      const lost = await dropCopiesOfHot(connection, db, scan)
      if (lost.size === 0) {
        applyChange(db, {
          add: files.map(({ file }) => file),
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
   * Writes the files of days that lost rows again. The old files are not visible yet, so they are deleted.
   */
  async function rewriteDays(lost: ReadonlyMap<Day, number>): Promise<void> {
    for (const [day, rows_lost] of lost) {
      const { file, ids } = written.get(day)!
      disk.remove(join(layout.cold, file.path))
      disk.remove(ids!.staged)
      failpoint('import.withdrawn')
      written.delete(day)
      const rows = file.rows - rows_lost
      if (rows > 0) written.set(day, await writeDay(deps, connection, day, rows, freshDays(day, day)))
    }
  }
}

interface DayCount {
  day: Day
  rows: number
}

async function countDays(connection: DuckConnection): Promise<DayCount[]> {
  const reader = await connection.runAndReadAll(
    'SELECT day, count(*)::DOUBLE FROM fresh GROUP BY day ORDER BY day',
  )
  return (reader.getRows() as [number, number][]).map(([day, rows]) => ({ day, rows }))
}

/**
 * Groups that are written in parallel: while DuckDB sorts one, the ids of another are read back. Each
 * writer holds the days of its group in memory.
 */
const WRITERS_MAX = 4

/**
 * Reading a small day from the staged file reads a whole row group,
 * so small days are read together in groups.
 */
const GROUP_ROWS = 250_000

/**
 * Copies the rows of a group to a temporary table and returns SQL that selects them.
 * A single day is not copied.
 */
async function cutOut(connection: DuckConnection, group: readonly DayCount[]): Promise<string> {
  const days = freshDays(group[0]!.day, group.at(-1)!.day)
  if (group.length === 1) return days
  await connection.run(`CREATE OR REPLACE TEMP TABLE cut_out AS ${days}`)
  return 'SELECT * FROM cut_out'
}

/** Filters by time instead of day, because the staged file has statistics for the times. */
function freshDays(first: Day, last: Day): string {
  return `SELECT * FROM staged ANTI JOIN (SELECT record FROM dropped WHERE day BETWEEN ${first} AND ${last}) USING (record)
    WHERE occurred_at >= TIMESTAMPTZ '${formatDay(first)} 00:00:00+00' AND occurred_at < TIMESTAMPTZ '${formatDay(last + 1)} 00:00:00+00'`
}

/** Writes a day's rows to their final path, fsynced. The file is invisible until the catalog lists it. */
async function writeDay(
  deps: ImportDeps,
  connection: DuckConnection,
  day: Day,
  rows: number,
  source: string,
): Promise<StagedFile> {
  const { layout, disk } = deps
  const of_day = `SELECT * FROM (${source}) WHERE day = ${day}`
  const staged = await stageDay(connection, disk, layout, day, of_day, { rows }, 'import')
  placeFiles(disk, layout, [staged])
  return staged
}
