import type { Day, Micros } from '../event/time.ts'
import type { Sqlite } from './sqlite.ts'

/** The catalog: which cold files are visible, and through which seq each day's hot rows are already in them. */

export interface ColdFile {
  /** Relative to the folder of cold files, `day=YYYY-MM-DD/…parquet`. Never used twice. */
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
  /** Relative to the folder of segments, `….ids`. Never used twice. */
  path: string
  ids: number
  /** SHA-256 of the file, hex. */
  checksum: string
  /** Order-free digest of its ids. */
  id_digest: string
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
  /** Together they hold each id of `files` once. */
  segments: IdSegmentRow[]
}

/** SQL: the hot rows as `e`, each with its day's seal as `c`. */
export const HOT_ROWS = 'events AS e LEFT JOIN cold_days AS c USING (day)'

/** SQL over {@link HOT_ROWS}: which of them are visible. The others stand in a cold file. */
export const IS_VISIBLE = 'e.seq > coalesce(c.sealed_through, 0)'

export function readGeneration(db: Sqlite): number {
  return db.prepare('SELECT generation FROM catalog').pluck().get() as number
}

/** The whole catalog. Inside a transaction of the caller's, so that it agrees with what else is read there. */
export function readCatalog(db: Sqlite): Catalog {
  return {
    generation: readGeneration(db),
    files: db.prepare('SELECT * FROM cold_files ORDER BY day, path').all() as ColdFile[],
    days: db.prepare('SELECT * FROM cold_days ORDER BY day').all() as ColdDay[],
    segments: db.prepare('SELECT * FROM id_segments ORDER BY path').all() as IdSegmentRow[],
  }
}

/** What all visible files hold together. */
export function sumCold(db: Sqlite): { events: number; files: number; bytes: number } {
  return db
    .prepare(
      'SELECT coalesce(sum(rows), 0) AS events, count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM cold_files',
    )
    .get() as { events: number; files: number; bytes: number }
}

/** A change of what is visible in cold, committed as one. */
export interface CatalogChange {
  add: readonly ColdFile[]
  /** Paths that leave the catalog; kept as replaced until no question can still read them. */
  remove: readonly string[]
  /** Days whose hot rows up to a seq are now in cold. */
  seal: readonly { day: Day; sealed_through: number }[]
  /** Segments that come and go. None where the ids in cold stay the same, as in a merge. */
  segments?: { add: readonly IdSegmentRow[]; remove: readonly string[] }
  at_us: Micros
}

/** Applies a change. The caller holds the write lock (BEGIN IMMEDIATE) and commits. */
export function applyChange(db: Sqlite, change: CatalogChange): void {
  db.exec('UPDATE catalog SET generation = generation + 1')
  const generation = readGeneration(db)
  const removeFile = db.prepare('DELETE FROM cold_files WHERE path = ?')
  const keepReplaced = db.prepare('INSERT INTO replaced_files (path, replaced_at) VALUES (?, ?)')
  for (const path of change.remove) {
    if (removeFile.run(path).changes !== 1) throw new Error(`the catalog does not list ${path}`)
    keepReplaced.run(path, change.at_us)
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
  for (const { day, sealed_through } of change.seal) touchDay.run(day, sealed_through, generation)
  const { segments = { add: [], remove: [] } } = change
  const removeSegment = db.prepare('DELETE FROM id_segments WHERE path = ?')
  for (const path of segments.remove) removeSegment.run(path)
  const addSegment = db.prepare(
    'INSERT INTO id_segments (path, ids, checksum, id_digest) VALUES (@path, @ids, @checksum, @id_digest)',
  )
  for (const segment of segments.add) addSegment.run(segment)
}
