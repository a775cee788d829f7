import type { Day, Micros } from '../event/time.ts'
import type { Sqlite } from './sqlite.ts'

/** The catalog: which cold files are visible, and up to which seq each day's hot rows are in cold. */

export interface ColdFile {
  /** Relative to the cold folder, `day=YYYY-MM-DD/….parquet`. Never reused. */
  path: string
  day: Day
  rows: number
  bytes: number
  min_ts: Micros
  max_ts: Micros
  /** SHA-256 of the file, hex. */
  checksum: string
  /** Order-free digest of its event ids. */
  id_digest: string
  origin: 'compaction' | 'merge' | 'import'
}

/** A file of the index of cold ids; see cold/id-segment.ts. */
export interface IdSegmentRow {
  /** Relative to the ids folder, `….ids`. Never reused. */
  path: string
  ids: number
  /** SHA-256 of the file, hex. */
  checksum: string
  /** Order-free digest of its ids. */
  id_digest: string
}

/** Users and events of a cold file, in all or of one type; see src/sets. */
export interface FileSet {
  path: string
  /** Empty for all events. */
  event_type: string
  events: number
  users: number
  /** Of all fields. */
  checksum: string
  /** Sorted numbers of the users. */
  uids: Uint8Array
}

export interface ColdDay {
  day: Day
  sealed_through: number
  generation: number
}

export interface Catalog {
  generation: number
  files: ColdFile[]
  days: ColdDay[]
  /** Together they hold every id of `files` exactly once. */
  segments: IdSegmentRow[]
}

/** SQL: hot rows as `e`, joined to the `cold_days` row of their day as `c`. */
export const HOT_ROWS = 'events AS e LEFT JOIN cold_days AS c USING (day)'

/**
 * SQL condition over {@link HOT_ROWS} that selects the visible rows. The other rows are in a cold file.
 */
export const IS_VISIBLE = 'e.seq > coalesce(c.sealed_through, 0)'

export function readGeneration(db: Sqlite): number {
  return db.prepare('SELECT generation FROM catalog').pluck().get() as number
}

/**
 * Reads the whole catalog. Call it in a transaction,
 * so that it is consistent with the caller's other reads.
 */
export function readCatalog(db: Sqlite): Catalog {
  return {
    generation: readGeneration(db),
    files: db.prepare('SELECT * FROM cold_files ORDER BY day, path').all() as ColdFile[],
    days: db.prepare('SELECT * FROM cold_days ORDER BY day').all() as ColdDay[],
    segments: db.prepare('SELECT * FROM id_segments ORDER BY path').all() as IdSegmentRow[],
  }
}

/** Totals over all visible files. */
export function sumCold(db: Sqlite): { events: number; files: number; bytes: number } {
  return db
    .prepare(
      'SELECT coalesce(sum(rows), 0) AS events, count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM cold_files',
    )
    .get() as { events: number; files: number; bytes: number }
}

/** An atomic change of what is visible in cold. */
export interface CatalogChange {
  add: readonly ColdFile[]
  /** Of the files to add; a file may have none. */
  sets?: readonly FileSet[]
  /** Paths to remove. They are kept in `replaced_files` until no running query can read them. */
  remove: readonly string[]
  /** Days whose hot rows up to `sealed_through` are now in cold. */
  seal: readonly { day: Day; sealed_through: number }[]
  /** Omitted if the ids in cold do not change, as in a merge. */
  segments?: { add: readonly IdSegmentRow[]; remove: readonly string[] }
  at_us: Micros
}

/**
 * Applies a change. The caller holds the write lock (BEGIN IMMEDIATE) and commits.
 * @throws {Error} if a path to remove is not in the catalog
 */
export function applyChange(db: Sqlite, change: CatalogChange): void {
  db.exec('UPDATE catalog SET generation = generation + 1')
  const generation = readGeneration(db)
  const removeFile = db.prepare('DELETE FROM cold_files WHERE path = ?')
  const removeSets = db.prepare('DELETE FROM file_sets WHERE path = ?')
  const keepReplaced = db.prepare('INSERT INTO replaced_files (path, replaced_at) VALUES (?, ?)')
  for (const path of change.remove) {
    if (removeFile.run(path).changes !== 1) throw new Error(`the catalog does not list ${path}`)
    keepReplaced.run(path, change.at_us)
    removeSets.run(path)
  }
  const addFile = db.prepare(
    `INSERT INTO cold_files (path, day, rows, bytes, min_ts, max_ts, checksum, id_digest, origin)
     VALUES (@path, @day, @rows, @bytes, @min_ts, @max_ts, @checksum, @id_digest, @origin)`,
  )
  const touchDay = db.prepare(
    `INSERT INTO cold_days (day, sealed_through, generation) VALUES (?, ?, ?)
     ON CONFLICT (day) DO UPDATE SET
       sealed_through = max(sealed_through, excluded.sealed_through), generation = excluded.generation`,
  )
  for (const file of change.add) {
    addFile.run(file)
    touchDay.run(file.day, 0, generation)
  }
  addSets(db, change.sets ?? [])
  for (const { day, sealed_through } of change.seal) touchDay.run(day, sealed_through, generation)
  const { segments = { add: [], remove: [] } } = change
  const removeSegment = db.prepare('DELETE FROM id_segments WHERE path = ?')
  for (const path of segments.remove) removeSegment.run(path)
  const addSegment = db.prepare(
    'INSERT INTO id_segments (path, ids, checksum, id_digest) VALUES (@path, @ids, @checksum, @id_digest)',
  )
  for (const segment of segments.add) addSegment.run(segment)
}

/** Adds the sets of listed files. The caller holds the write lock and commits. */
export function addSets(db: Sqlite, sets: readonly FileSet[]): void {
  const add = db.prepare(
    `INSERT INTO file_sets (path, event_type, events, users, checksum, uids)
     VALUES (@path, @event_type, @events, @users, @checksum, @uids)`,
  )
  for (const set of sets) add.run(set)
}
