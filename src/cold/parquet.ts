import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import type { ColdFile } from '../store/catalog.ts'
import type { ColdDisk } from '../store/disk.ts'
import { readParquetSql, sqlText } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import { readIds, stageSegment } from './id-index.ts'
import type { StagedSegment } from './id-index.ts'
import { IdEntries } from './id-segment.ts'

/** Writes cold files. Compaction, merge and import all use it. */

/** The columns of a cold file, in order. */
export const COLD_COLUMNS = 'event_id, occurred_at, user_id, event_type, properties'

// DuckDB's default. Readers skip row groups by their statistics.
const ROW_GROUP_ROWS = 122_880

/** A file that is written, verified and fsynced, but not visible. */
export interface StagedFile {
  file: ColdFile
  /** Path in the staging folder. */
  staged: string
  /** Its ids; null for a merge, whose ids are already in the index. */
  ids: StagedSegment | null
}

/** The written file differs from its source. Nothing was published. */
export class VerifyError extends Error {
  override name = 'VerifyError'
}

export interface Expected {
  rows: number
  /** Digest of the rows' ids; set only if it was computed independently of DuckDB's copy of the rows. */
  id_digest?: string
}

/**
 * Writes the rows of one day to a staged file and verifies the file by reading it back.
 * @param source SQL query with the columns {@link COLD_COLUMNS}
 * @throws {VerifyError} if rows or ids differ from `expected`
 */
export async function stageDay(
  connection: DuckConnection,
  disk: ColdDisk,
  layout: Layout,
  day: Day,
  source: string,
  expected: Expected,
  origin: ColdFile['origin'],
): Promise<StagedFile> {
  const name = `${randomUUID()}.parquet`
  const staged = join(layout.staging, name)
  // Sorted by user, then time, so that counting distinct
  // users and reading one user's events scan sequentially.
  await connection.run(
    `COPY (SELECT ${COLD_COLUMNS} FROM (${source}) ORDER BY user_id, occurred_at)
     TO ${sqlText(staged)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`,
  )
  failpoint(`${origin}.written`)
  // DuckDB's COPY does not fsync.
  disk.sync(staged)
  failpoint(`${origin}.synced`)
  const entries = origin === 'merge' ? null : new IdEntries(expected.rows)
  const digest = await readIds(connection, staged, day, entries)
  const range = await connection.runAndReadAll(
    `SELECT epoch_us(min(occurred_at))::DOUBLE, epoch_us(max(occurred_at))::DOUBLE FROM ${readParquetSql([staged])}`,
  )
  const [min_ts, max_ts] = range.getRows()[0] as [number, number]
  const file: ColdFile = {
    path: join(`day=${formatDay(day)}`, name),
    day,
    rows: digest.count,
    bytes: disk.size(staged),
    min_ts,
    max_ts,
    checksum: await disk.checksum(staged),
    id_digest: digest.toString(),
    origin,
  }
  const { rows, id_digest = file.id_digest } = expected
  if (file.rows !== rows || file.id_digest !== id_digest) {
    throw new VerifyError(
      `the file for ${formatDay(day)} has ${file.rows} rows with digest ${file.id_digest}, but its source has ` +
        `${rows} rows with digest ${id_digest}; the file was not published`,
    )
  }
  failpoint(`${origin}.checked`)
  const ids = origin === 'merge' ? null : stageSegment(layout, entries!, digest, origin)
  return { file, staged, ids }
}

/** Renames staged files to their final paths durably. They stay invisible until the catalog lists them. */
export function placeFiles(disk: ColdDisk, layout: Layout, files: readonly StagedFile[]): void {
  // The cold folder is fsynced too, because the day's folder may be new.
  const folders = new Set([layout.cold])
  for (const { file, staged } of files) {
    const folder = join(layout.cold, `day=${formatDay(file.day)}`)
    disk.makeFolder(folder)
    disk.rename(staged, join(layout.cold, file.path))
    failpoint(`${file.origin}.renamed`)
    folders.add(folder)
  }
  for (const folder of folders) disk.sync(folder)
  for (const { file } of files) failpoint(`${file.origin}.placed`)
}
