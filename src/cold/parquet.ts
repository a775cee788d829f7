import { randomUUID } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { IdDigest } from '../event/id.ts'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import { makeSets } from '../sets/make.ts'
import type { ColdFile, FileSet } from '../store/catalog.ts'
import type { ColdDisk } from '../store/disk.ts'
import { readParquetSql, sqlText } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { groupByRows } from './groups.ts'
import { readIds, stageSegment } from './id-index.ts'
import type { StagedSegment } from './id-index.ts'
import { IdEntries } from './id-segment.ts'

/** Writes cold files. Compaction, merge and import all use it. */

/** The columns of a cold file, in order. */
export const COLD_COLUMNS = 'event_id, occurred_at, user_id, event_type, properties'

/** DuckDB's default. Readers skip row groups by their statistics. */
const ROW_GROUP_ROWS_MAX = 122_880
/** DuckDB's smallest. */
const ROW_GROUP_ROWS_MIN = 2_048
/** A writer holds a row group in memory, about twice, and cannot spill it. Events below 340 bytes reach the limit of rows first. */
const ROW_GROUP_BYTES_MAX = 40 * 1024 * 1024

/** Few enough that DuckDB keeps all their files open while it writes them, so that each day gets one file. */
export const GROUP_DAYS_MAX = 100
/** The days of a group are written and read back together: a small day costs most of a statement, and few rows. */
export const GROUP_ROWS_MAX = 250_000

/** A day to write. */
export interface DayRows {
  day: Day
  rows: number
  /** Digest of the rows' ids; set only if it was computed independently of DuckDB's copy of the rows. */
  id_digest?: string
}

/** Files of some days that are written, verified and fsynced, but not visible. */
export interface StagedFiles {
  files: readonly { file: ColdFile; staged: string }[]
  sets: readonly FileSet[]
  /** Their ids; null for a merge, whose ids are already in the index. */
  ids: StagedSegment | null
  /** What remains in the staging folder when the files are placed; null if nothing does. */
  folder: string | null
}

/** The written file differs from its source. Nothing was published. */
export class VerifyError extends Error {
  override name = 'VerifyError'
}

/** Groups days for {@link stageDays}. */
export function groupDays<T extends { rows: number }>(days: readonly T[]): T[][] {
  return groupByRows(days, GROUP_ROWS_MAX, GROUP_DAYS_MAX)
}

/**
 * Writes the rows of some days, a staged file for each, and verifies the files by reading them back.
 * @param db where the users get their numbers
 * @param days at most {@link GROUP_DAYS_MAX}
 * @param source SQL query with the columns {@link COLD_COLUMNS}; of several days also with the INTEGER `day`
 * @throws {VerifyError} if the rows or ids of a day differ from what it should have
 */
export async function stageDays(
  connection: DuckConnection,
  db: Sqlite,
  disk: ColdDisk,
  layout: Layout,
  days: readonly DayRows[],
  source: string,
  origin: ColdFile['origin'],
): Promise<StagedFiles> {
  const { paths, folder } = await writeFiles(connection, disk, layout, days, source)
  failpoint(`${origin}.written`)
  // DuckDB's COPY does not fsync.
  await disk.syncAll(paths)
  failpoint(`${origin}.synced`)
  const written = days.map(({ day }, n) => ({ day, path: paths[n]! }))
  const expected = days.reduce((n, { rows }) => n + rows, 0)
  const entries = origin === 'merge' ? null : new IdEntries(expected)
  const digests = await readIds(connection, written, entries)
  const ranges = await readRanges(connection, paths)
  const files: { file: ColdFile; staged: string }[] = []
  for (const [n, { day, path }] of written.entries()) {
    checkDay(days[n]!, digests[n]!)
    files.push({
      staged: path,
      file: {
        path: join(`day=${formatDay(day)}`, basename(path)),
        day,
        rows: digests[n]!.count,
        bytes: disk.size(path),
        ...ranges.get(n)!,
        checksum: await disk.checksum(path),
        id_digest: digests[n]!.toString(),
        origin,
      },
    })
  }
  failpoint(`${origin}.checked`)
  const sets = await makeSets(
    connection,
    db,
    files.map(({ file, staged }) => ({ path: file.path, at: staged })),
  )
  failpoint(`${origin}.counted`)
  if (origin === 'merge') return { files, sets, ids: null, folder }
  const all = new IdDigest()
  for (const { file } of files) all.addDigest(file.id_digest, file.rows)
  return { files, sets, ids: stageSegment(layout, entries!, all, origin), folder }
}

const FORMAT = 'FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2'

/**
 * Writes one day, sorted by user, then time, so that counting distinct users and reading one user's events scan
 * sequentially.
 */
async function writeDay(
  connection: DuckConnection,
  { rows }: DayRows,
  bytes: number,
  source: string,
  path: string,
): Promise<void> {
  const fitting = Math.floor((ROW_GROUP_BYTES_MAX * rows) / Math.max(bytes, 1))
  const row_group = Math.max(ROW_GROUP_ROWS_MIN, Math.min(ROW_GROUP_ROWS_MAX, fitting))
  await connection.run(
    `COPY (SELECT ${COLD_COLUMNS} FROM (${source}) ORDER BY user_id, occurred_at)
     TO ${sqlText(path)} (${FORMAT}, ROW_GROUP_SIZE ${row_group})`,
  )
}

/** Bytes of the texts of each day. */
async function readBytes(
  connection: DuckConnection,
  days: readonly DayRows[],
  source: string,
): Promise<Map<Day, number>> {
  const bytes = 'sum(strlen(user_id) + strlen(event_type) + strlen(properties))::DOUBLE'
  const only = days.length === 1 ? days[0]!.day : null
  const reader = await connection.runAndReadAll(
    only === null
      ? `SELECT day, ${bytes} FROM (${source}) GROUP BY day`
      : `SELECT ${only}, coalesce(${bytes}, 0) FROM (${source})`,
  )
  const found = new Map(reader.getRows() as [number, number][])
  return new Map(days.map(({ day }) => [day, found.get(day) ?? 0]))
}

/** Paths of the files, in the order of the days, and the folder in which they lie alone; null for one file. */
async function writeFiles(
  connection: DuckConnection,
  disk: ColdDisk,
  layout: Layout,
  days: readonly DayRows[],
  source: string,
): Promise<{ paths: string[]; folder: string | null }> {
  const bytes = await readBytes(connection, days, source)
  if (days.length === 1) {
    const path = join(layout.staging, `${randomUUID()}.parquet`)
    const [only] = days
    await writeDay(connection, only!, bytes.get(only!.day)!, source, path)
    return { paths: [path], folder: null }
  }
  const target = join(layout.staging, randomUUID())
  // Written together, all days would be in memory at once.
  if ([...bytes.values()].reduce((a, b) => a + b) > ROW_GROUP_BYTES_MAX) {
    const paths: string[] = []
    for (const one of days) {
      const of_day = join(target, `day=${one.day}`)
      disk.makeFolder(of_day)
      const path = join(of_day, `${randomUUID()}.parquet`)
      const rows = `SELECT * FROM (${source}) WHERE day = ${one.day}`
      await writeDay(connection, one, bytes.get(one.day)!, rows, path)
      paths.push(path)
    }
    return { paths, folder: target }
  }
  await connection.run(`SET partitioned_write_max_open_files = ${GROUP_DAYS_MAX}`)
  await connection.run(
    `COPY (SELECT day, ${COLD_COLUMNS} FROM (${source}) ORDER BY day, user_id, occurred_at)
     TO ${sqlText(target)} (${FORMAT}, ROW_GROUP_SIZE ${ROW_GROUP_ROWS_MAX}, PARTITION_BY (day), FILENAME_PATTERN '{uuid}')`,
  )
  const paths = days.map(({ day }) => {
    const of_day = join(target, `day=${day}`)
    const names = disk.list(of_day)
    if (names.length !== 1) throw new VerifyError(`${formatDay(day)} was written as ${names.length} files`)
    return join(of_day, names[0]!)
  })
  return { paths, folder: target }
}

/** Times of the first and last row of each file, by its position in `paths`. */
async function readRanges(
  connection: DuckConnection,
  paths: readonly string[],
): Promise<Map<number, Pick<ColdFile, 'min_ts' | 'max_ts'>>> {
  const reader = await connection.runAndReadAll(
    `SELECT file_index::INTEGER, epoch_us(min(occurred_at))::DOUBLE, epoch_us(max(occurred_at))::DOUBLE
     FROM ${readParquetSql(paths)} GROUP BY file_index`,
  )
  const rows = reader.getRows() as [number, number, number][]
  return new Map(rows.map(([n, min_ts, max_ts]) => [n, { min_ts, max_ts }]))
}

/** @throws {VerifyError} */
function checkDay({ day, rows, id_digest }: DayRows, found: IdDigest): void {
  const expected = id_digest ?? found.toString()
  if (found.count === rows && found.toString() === expected) return
  throw new VerifyError(
    `the file for ${formatDay(day)} has ${found.count} rows with digest ${found}, but its source has ` +
      `${rows} rows with digest ${expected}; the file was not published`,
  )
}

/** Renames staged files to their final paths durably. They stay invisible until the catalog lists them. */
export async function placeFiles(
  disk: ColdDisk,
  layout: Layout,
  { files, folder }: StagedFiles,
): Promise<void> {
  // The cold folder is fsynced too, because the day's folder may be new.
  const folders = new Set([layout.cold])
  for (const { file, staged } of files) {
    const of_day = join(layout.cold, `day=${formatDay(file.day)}`)
    // On some file systems, removing a folder takes longer than writing a small day.
    if (folder !== null && disk.list(of_day).length === 0) disk.rename(dirname(staged), of_day)
    else {
      disk.makeFolder(of_day)
      disk.rename(staged, join(layout.cold, file.path))
    }
    failpoint(`${file.origin}.renamed`)
    folders.add(of_day)
  }
  await disk.syncAll(folders)
  if (folder !== null) disk.remove(folder)
  for (const { file } of files) failpoint(`${file.origin}.placed`)
}
