import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { applyChange, readCatalog } from '../cold/catalog.ts'
import type { ColdDisk } from '../cold/files.ts'
import { joinSegments, placeSegment } from '../cold/id-index.ts'
import { placeFiles, stageDay } from '../cold/parquet.ts'
import type { StagedFile } from '../cold/parquet.ts'
import { sweepFiles } from '../cold/sweep.ts'
import { openDuck } from '../duckdb.ts'
import type { DuckConnection } from '../duckdb.ts'
import { createEventSchema } from '../event.ts'
import { failpoint } from '../failpoint.ts'
import type { Layout } from '../layout.ts'
import type { Sqlite } from '../sqlite.ts'
import { formatDay } from '../time.ts'
import type { Day, Micros } from '../time.ts'
import { dropCopiesInFile, dropCopiesOfCold, dropCopiesOfHot } from './dedupe.ts'
import type { HotScan } from './dedupe.ts'
import { readHeader } from './header.ts'
import type { Header } from './header.ts'
import type { Progress } from './progress.ts'
import { readCareful } from './read-careful.ts'
import { NEEDS_CARE, readFast } from './read-fast.ts'
import { openRejects } from './rejects.ts'
import type { Rejects } from './rejects.ts'
import { defineRelations, openStaging } from './staging.ts'
import type { Staging } from './staging.ts'

/**
 * CSV history straight into cold files: read, judge, take out copies, write every day, and make all days visible in one transaction.
 * The caller holds the cold lock, so cold does not change meanwhile; hot does, and is looked at once more under SQLite's write lock.
 */

export interface ImportDeps {
  db: Sqlite
  layout: Layout
  disk: ColdDisk
  progress: Progress
  now_us: () => Micros
  grace_s: number
  memory_mb: number
  threads: number
}

export interface ImportReport {
  rows: number
  imported: number
  duplicates: number
  rejected: number
  days: number
  files: number
  bytes: number
  took_ms: number
}

export interface ImportResult {
  report: ImportReport
  /** Where the rejected rows are; null if there are none. */
  rejected_path: string | null
}

/**
 * Imports a file.
 * @param strict import nothing if any row is rejected
 * @throws {CsvFileError} when the file as a whole cannot be read
 */
export async function importCsv(deps: ImportDeps, path: string, strict: boolean): Promise<ImportResult> {
  const { db, layout, disk, progress } = deps
  const started = performance.now()
  const header = readHeader(path)
  sweepFiles(db, disk, layout, deps.now_us(), deps.grace_s)
  const folder = join(layout.staging, randomUUID())
  disk.makeFolder(folder)
  const duck = await openDuck({
    threads: deps.threads,
    memory_mb: deps.memory_mb,
    spill: join(folder, 'spill'),
    path: join(folder, 'staged.duckdb'),
  })
  const rejects = openRejects(path, disk)
  try {
    const connection = await duck.connect()
    const staging = await openStaging(connection, folder)
    const rows = await readRows(deps, staging, path, header, rejects)
    failpoint('import.read')
    const rejected = rejects.count
    const blocked = strict && rejected > 0
    const rejected_path = rejects.finish()
    failpoint('import.told')
    const files = blocked ? [] : await writeNewRows(deps, connection)
    const imported = files.reduce((n, { file }) => n + file.rows, 0)
    connection.closeSync()
    return {
      rejected_path,
      report: {
        rows,
        imported,
        duplicates: blocked ? 0 : rows - rejected - imported,
        rejected,
        days: new Set(files.map(({ file }) => file.day)).size,
        files: files.length,
        bytes: files.reduce((n, { file }) => n + file.bytes, 0),
        took_ms: Math.round(performance.now() - started),
      },
    }
  } finally {
    progress.end()
    rejects.discard()
    duck.close()
    disk.remove(folder)
  }
}

async function readRows(
  deps: ImportDeps,
  staging: Staging,
  path: string,
  header: Header,
  rejects: Rejects,
): Promise<number> {
  const { connection } = staging
  // One clock for the whole file, so that both readers draw the same line.
  const now_us = deps.now_us()
  const schema = createEventSchema(() => now_us)
  const fast = await deps.progress.during('reading', connection, () =>
    readFast(staging, path, header, schema, now_us, rejects),
  )
  const rows =
    fast === NEEDS_CARE
      ? await deps.progress.during('reading row by row', null, () =>
          readCareful(connection, path, header, schema, rejects),
        )
      : fast
  await defineRelations(staging, fast !== NEEDS_CARE)
  return rows
}

/** Takes out the copies, writes one file a day, publishes all of them at once. */
async function writeNewRows(deps: ImportDeps, connection: DuckConnection): Promise<StagedFile[]> {
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
  for (const group of groupDays(days)) {
    const source = await cutOut(connection, group)
    for (const { day, rows } of group) {
      progress.step('writing', written.size, days.length, formatDay(day))
      written.set(day, await writeDay(deps, connection, day, rows, source))
    }
  }
  for (;;) {
    // Most of what was posted meanwhile is compared here, so that the write lock is held for the rest alone.
    await rewriteDays(await dropCopiesOfHot(connection, db, scan))
    if (written.size === 0) return []
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

/** Finding a small day in the staged file reads a whole row group of it, so small days are cut out together: about this many rows. */
const GROUP_ROWS = 250_000

function groupDays(days: readonly DayCount[]): DayCount[][] {
  const groups: DayCount[][] = []
  let group_rows = GROUP_ROWS
  for (const day of days) {
    if (group_rows + day.rows > GROUP_ROWS) {
      groups.push([])
      group_rows = 0
    }
    groups.at(-1)!.push(day)
    group_rows += day.rows
  }
  return groups
}

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
