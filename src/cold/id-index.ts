import { randomUUID } from 'node:crypto'
import { basename, join } from 'node:path'
import { IdDigest } from '../event/id.ts'
import type { Day } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import { applyChange, readCatalog } from '../store/catalog.ts'
import type { ColdFile, IdSegmentRow } from '../store/catalog.ts'
import type { ColdDisk } from '../store/disk.ts'
import { forEachUuid, readParquetSql } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { groupByRows } from './groups.ts'
import { ENTRY_BYTES, IdEntries, mergeSegments, writeSegment } from './id-segment.ts'

/**
 * The index of cold ids: segments that together hold every id of every cold file exactly once. A job that
 * adds rows to cold adds a segment in the same transaction. Merging files changes no ids, so it changes no
 * segment. The caller holds the cold lock.
 */

/** A segment that is written, but not fsynced and not in the catalog. */
export interface StagedSegment {
  staged: string
  ids: number
  id_digest: string
}

/** Selects the failpoints. */
type Owner = 'compaction' | 'import' | 'index'

/** Writes a segment to the staging folder. */
export function stageSegment(
  layout: Layout,
  entries: IdEntries,
  digest: IdDigest,
  owner: Owner,
): StagedSegment {
  const staged = stagedName(layout)
  writeSegment(staged, entries)
  failpoint(`${owner}.ids_staged`)
  return { staged, ids: digest.count, id_digest: digest.toString() }
}

/** Merges segments into a new one and keeps the inputs. */
export function joinSegments(layout: Layout, parts: readonly StagedSegment[]): StagedSegment {
  const staged = stagedName(layout)
  mergeSegments(
    parts.map((part) => part.staged),
    staged,
  )
  return { staged, ...sumOf(parts) }
}

function stagedName(layout: Layout): string {
  return join(layout.staging, `${randomUUID()}.ids`)
}

/** Moves a staged segment to its final path durably. It takes effect when the catalog lists it. */
export async function placeSegment(
  disk: ColdDisk,
  layout: Layout,
  { staged, ids, id_digest }: StagedSegment,
  owner: Owner,
): Promise<IdSegmentRow> {
  const path = basename(staged)
  disk.sync(staged)
  const checksum = await disk.checksum(staged)
  failpoint(`${owner}.ids_synced`)
  disk.rename(staged, join(layout.ids, path))
  disk.sync(layout.ids)
  failpoint(`${owner}.ids_placed`)
  return { path, ids, checksum, id_digest }
}

/** Compares the ids of segments and files by count and digest. */
export function isComplete(files: readonly ColdFile[], segments: readonly IdSegmentRow[]): boolean {
  const in_files = sumOf(files.map(({ rows, id_digest }) => ({ ids: rows, id_digest })))
  const in_segments = sumOf(segments)
  return in_files.ids === in_segments.ids && in_files.id_digest === in_segments.id_digest
}

function sumOf(parts: readonly { ids: number; id_digest: string }[]): { ids: number; id_digest: string } {
  const sum = new IdDigest()
  for (const { ids, id_digest } of parts) sum.addDigest(id_digest, ids)
  return { ids: sum.count, id_digest: sum.toString() }
}

/** Segments up to this size are always merged, because rewriting them costs milliseconds. */
export const SMALL_SEGMENT_IDS = 100_000
/** A segment with more than this many times the ids of all smaller ones together is not rewritten. */
export const FOLD_RATIO = 2

/**
 * Chooses the segments to merge: the largest one within {@link FOLD_RATIO} and all smaller ones; empty if
 * there is none. Each remaining segment more than triples the number of ids, so 100 million ids are in at
 * most eight segments.
 */
export function planFold<T extends { ids: number }>(segments: readonly T[]): T[] {
  const ascending = segments.toSorted((a, b) => a.ids - b.ids)
  let below = 0
  let chosen = 0
  for (const [n, { ids }] of ascending.entries()) {
    if (n > 0 && ids <= Math.max(below * FOLD_RATIO, SMALL_SEGMENT_IDS)) chosen = n + 1
    below += ids
  }
  return ascending.slice(0, chosen)
}

/** Ids held in memory during a rebuild, 8 bytes each. */
const REBUILD_IDS = 4_000_000

export interface IndexDeps {
  db: Sqlite
  layout: Layout
  disk: ColdDisk
  /** Called only if cold files must be read. */
  connect: () => Promise<DuckConnection>
}

/** Merges segments if there are too many, and rebuilds the index if a segment is missing or damaged. */
export async function tidyIndex(deps: IndexDeps): Promise<'unchanged' | 'folded' | 'rebuilt'> {
  const { db, layout, disk } = deps
  const { files, segments } = readCatalog(db)
  const old = planFold(segments)
  const are_sound =
    isComplete(files, segments) &&
    segments.every((segment) => hasItsSize(disk, layout, segment)) &&
    (await haveTheirBytes(disk, layout, old))
  if (!are_sound) {
    await rebuildIndex(deps)
    return 'rebuilt'
  }
  if (old.length === 0) return 'unchanged'
  const parts = old.map(({ path, ids, id_digest }) => ({ staged: join(layout.ids, path), ids, id_digest }))
  const joined = joinSegments(layout, parts)
  failpoint('index.ids_staged')
  publish(db, [await placeSegment(disk, layout, joined, 'index')], old)
  return 'folded'
}

/**
 * Rebuilds the index from the cold files.
 * @throws if the ids of a file do not match the catalog
 */
export async function rebuildIndex({ db, layout, disk, connect }: IndexDeps): Promise<void> {
  const { files, segments } = readCatalog(db)
  const connection = await connect()
  const add: IdSegmentRow[] = []
  for (const group of groupByRows(files, REBUILD_IDS)) {
    const entries = new IdEntries(group.reduce((n, { rows }) => n + rows, 0))
    const all = new IdDigest()
    const digests = await readIds(
      connection,
      group.map(({ path, day }) => ({ path: join(layout.cold, path), day })),
      entries,
    )
    for (const [n, file] of group.entries()) {
      const digest = digests[n]!
      if (digest.count !== file.rows || digest.toString() !== file.id_digest) {
        throw new Error(
          `cold file ${file.path} has ${digest.count} rows with digest ${digest}, ` +
            `but the catalog says ${file.rows} rows with digest ${file.id_digest}`,
        )
      }
      all.addDigest(file.id_digest, file.rows)
    }
    add.push(await placeSegment(disk, layout, stageSegment(layout, entries, all, 'index'), 'index'))
  }
  publish(db, add, segments)
}

/** Adds the ids of Parquet files to `entries`, if given. Returns the digest of each file's ids. */
export async function readIds(
  connection: DuckConnection,
  files: readonly { path: string; day: Day }[],
  entries: IdEntries | null,
): Promise<IdDigest[]> {
  const digests = files.map(() => new IdDigest())
  // The column costs time in a large file, and of one file it says nothing.
  const columns = files.length === 1 ? 'event_id' : 'event_id, file_index::INTEGER'
  const source = readParquetSql(files.map(({ path }) => path))
  await forEachUuid(connection, `SELECT ${columns} FROM ${source}`, (w0, w1, w2, w3, n) => {
    digests[n]!.add(w0, w1, w2, w3)
    entries?.add(w0, w1, w2, w3, files[n]!.day)
  })
  return digests
}

function hasItsSize(disk: ColdDisk, layout: Layout, { path, ids }: IdSegmentRow): boolean {
  try {
    return disk.size(join(layout.ids, path)) === ids * ENTRY_BYTES
  } catch {
    return false
  }
}

async function haveTheirBytes(
  disk: ColdDisk,
  layout: Layout,
  segments: readonly IdSegmentRow[],
): Promise<boolean> {
  for (const { path, checksum } of segments)
    if ((await disk.checksum(join(layout.ids, path))) !== checksum) return false
  return true
}

/**
 * The commit point. The next sweep deletes the replaced segments,
 * because the catalog no longer lists them.
 */
function publish(db: Sqlite, add: readonly IdSegmentRow[], replaced: readonly IdSegmentRow[]): void {
  const segments = { add, remove: replaced.map(({ path }) => path) }
  db.transaction(() => {
    applyChange(db, { add: [], remove: [], seal: [], segments, at_us: 0 })
    failpoint('index.applied')
  }).immediate()
  failpoint('index.committed')
}
