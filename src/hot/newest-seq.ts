import type { Sqlite } from '../store/sqlite.ts'

/** Reads the highest `seq` that a hot row was ever given, whether or not the row is still there; 0 before the first. */
export function newestSeq(db: Sqlite): () => number {
  const read = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).pluck()
  return () => (read.get() as number | undefined) ?? 0
}
