import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import type { ColdFile } from '../store/catalog.ts'
import type { ColdDisk } from '../store/disk.ts'
import { sqlText } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import { readIds, stageSegment } from './id-index.ts'
import type { StagedSegment } from './id-index.ts'
import { IdEntries } from './id-segment.ts'

/** How one day's rows become one cold file. Compaction, merge and import all write through here. */

/** The columns of a cold file, in order. `source` must have them under these names and types. */
export const COLD_COLUMNS = 'event_id, occurred_at, user_id, event_type, properties'

// Readers skip whole groups by their statistics; DuckDB's own group size.
const ROW_GROUP_ROWS = 122_880

/** A file that is written, checked and fsynced, but not visible. */
export interface StagedFile {
  file: ColdFile
  staged: string
  /** Its ids; null for a merge, which brings none that the index does not know. */
  ids: StagedSegment | null
}

/** The file does not hold what it was made from. Nothing was published. */
export class VerifyError extends Error {
  override name = 'VerifyError'
}

export interface Expected {
  rows: number
  /** Order-free digest of the rows' ids, where there is a source for it besides DuckDB's own copy of them. */
  id_digest?: string
}

/**
 * Writes one day as a staged file and checks it by reading it again.
 * @param source SQL of a relation with {@link COLD_COLUMNS}
 * @throws {VerifyError} when the file differs from what was expected
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
  // Sorted by user, then time: counting distinct users and following one user both read runs instead of jumping about.
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
    `SELECT epoch_us(min(occurred_at))::DOUBLE, epoch_us(max(occurred_at))::DOUBLE FROM read_parquet(${sqlText(staged)})`,
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
      `the file for ${formatDay(day)} holds ${file.rows} rows with digest ${file.id_digest}, and it was made from ` +
        `${rows} with ${id_digest}; it was not published`,
    )
  }
  failpoint(`${origin}.checked`)
  const ids = origin === 'merge' ? null : stageSegment(layout, entries!, digest, origin)
  return { file, staged, ids }
}

/** Gives staged files their final names, for good. They are still invisible: only the catalog makes a file visible. */
export function placeFiles(disk: ColdDisk, layout: Layout, files: readonly StagedFile[]): void {
  // The folder of cold files itself, because a day's folder may be new in it.
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
