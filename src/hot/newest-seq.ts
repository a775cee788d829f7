import type { Sqlite } from '../store/sqlite.ts'

/** Prepares reading the highest `seq` ever assigned, even if its row has been deleted; 0 before the first. */
export function newestSeq(db: Sqlite): () => number {
  const read = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).pluck()
  return () => (read.get() as number | undefined) ?? 0
}
