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

/** From staged rows to visible cold files. */

/**
 * Takes out the copies, writes one file a day, publishes all of them at once.
 * @param connection on which the staged rows are compared with those that are there
 * @param remember called in the transaction that publishes them, or when there is nothing to publish
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
    // Most of what was posted meanwhile is compared here, so that the write lock is held for the rest alone.
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

  /** Files are immutable and not visible yet: a day that lost rows is written anew. */
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

/** Groups that are written at the same time: while DuckDB sorts one, the ids of another are read back. Each holds its days in memory. */
const WRITERS_MAX = 4

/** Finding a small day in the staged file reads a whole row group of it, so small days are cut out together: about this many rows. */
const GROUP_ROWS = 250_000

/** SQL of the relation in which the group's days are to be found. A day that is a group by itself stays where it is. */
async function cutOut(connection: DuckConnection, group: readonly DayCount[]): Promise<string> {
  const days = freshDays(group[0]!.day, group.at(-1)!.day)
  if (group.length === 1) return days
  await connection.run(`CREATE OR REPLACE TEMP TABLE cut_out AS ${days}`)
  return 'SELECT * FROM cut_out'
}

/** By time and not by day, because the staged file's statistics know the times. */
function freshDays(first: Day, last: Day): string {
  return `SELECT * FROM staged ANTI JOIN (SELECT record FROM dropped WHERE day BETWEEN ${first} AND ${last}) USING (record)
    WHERE occurred_at >= TIMESTAMPTZ '${formatDay(first)} 00:00:00+00' AND occurred_at < TIMESTAMPTZ '${formatDay(last + 1)} 00:00:00+00'`
}

/** Writes a day's rows under a final name, fsynced. Not visible before the catalog says so. */
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
