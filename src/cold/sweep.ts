import { join } from 'node:path'
import type { Day, Micros } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import type { ColdDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * Garbage collection of files and rows that are invisible by the visibility rule, so every step can be
 * interrupted and repeated. The caller holds the cold lock, so that no running process is creating files.
 */

export interface Swept {
  staging_removed: number
  orphans_removed: number
  replaced_removed: number
}

/**
 * Deletes staging files, files that the catalog does not list, and files that were replaced more than
 * `grace_s` ago, which no running query can still read.
 */
export function sweepFiles(
  db: Sqlite,
  disk: ColdDisk,
  layout: Layout,
  now_us: Micros,
  grace_s: number,
): Swept {
  const staging_removed = sweepStaging(disk, layout)
  failpoint('sweep.staging')
  const replaced_removed = sweepReplaced(db, disk, layout, now_us - grace_s * 1_000_000)
  failpoint('sweep.replaced')
  const orphans_removed = sweepOrphans(db, disk, layout)
  sweepSegments(db, disk, layout)
  failpoint('sweep.orphans')
  return { staging_removed, replaced_removed, orphans_removed }
}

function sweepStaging(disk: ColdDisk, layout: Layout): number {
  const names = disk.list(layout.staging)
  for (const name of names) disk.remove(join(layout.staging, name))
  return names.length
}

function sweepReplaced(db: Sqlite, disk: ColdDisk, layout: Layout, before_us: Micros): number {
  const paths = db
    .prepare('SELECT path FROM replaced_files WHERE replaced_at <= ?')
    .pluck()
    .all(before_us) as string[]
  const forget = db.prepare('DELETE FROM replaced_files WHERE path = ?')
  for (const path of paths) {
    disk.remove(join(layout.cold, path))
    failpoint('sweep.replaced_file')
    forget.run(path)
  }
  return paths.length
}

function sweepOrphans(db: Sqlite, disk: ColdDisk, layout: Layout): number {
  const known = new Set(
    db
      .prepare('SELECT path FROM cold_files UNION ALL SELECT path FROM replaced_files')
      .pluck()
      .all() as string[],
  )
  let removed = 0
  for (const folder of disk.list(layout.cold)) {
    if (!folder.startsWith('day=')) continue
    for (const name of disk.list(join(layout.cold, folder))) {
      const path = join(folder, name)
      if (known.has(path)) continue
      if (removed === 0) overwriteFailedCommit(db)
      disk.remove(join(layout.cold, path))
      removed += 1
    }
    disk.removeIfEmpty(join(layout.cold, folder))
  }
  return removed
}

/** Deletes segments that the catalog does not list. A service that still uses one has it open. */
function sweepSegments(db: Sqlite, disk: ColdDisk, layout: Layout): void {
  const known = new Set(db.prepare('SELECT path FROM id_segments').pluck().all())
  for (const name of disk.list(layout.ids)) if (!known.has(name)) disk.remove(join(layout.ids, name))
}

/**
 * A commit whose fsync failed is rolled back, but its frames stay in the WAL, and recovery after a crash
 * restores it until another commit overwrites them. It may list the files that are orphans now, so a commit
 * is made before they are deleted. It must change a value: SQLite does not write an unchanged page.
 */
function overwriteFailedCommit(db: Sqlite): void {
  db.exec('UPDATE catalog SET generation = generation + 1')
}

/** Rows per transaction, about 6 ms of CPU. A writer waits for at most one such transaction. */
export const COLLECT_ROWS = 5_000
/** Pause between transactions, so that a waiting writer gets the lock. */
const COLLECT_PAUSE_MS = 2

/** Deletes the hot rows of these days that are in cold, in small transactions. Returns the number of rows. */
export async function collectSealedRows(db: Sqlite, days: readonly Day[]): Promise<number> {
  const end = db
    .prepare(
      `SELECT max(seq) FROM (
         SELECT seq FROM events
         WHERE day = @day AND seq <= (SELECT sealed_through FROM cold_days WHERE day = @day)
         ORDER BY seq LIMIT @limit)`,
    )
    .pluck()
  const collect = db.prepare('DELETE FROM events WHERE day = @day AND seq <= @last')
  let next = 0
  /** Days are taken until there are rows enough, because a transaction costs an fsync whatever it deletes. */
  const collectSome = db.transaction(() => {
    let rows = 0
    while (next < days.length && rows < COLLECT_ROWS) {
      const day = days[next]!
      const last = end.get({ day, limit: COLLECT_ROWS - rows }) as number | null
      if (last === null) next += 1
      else rows += collect.run({ day, last }).changes
    }
    return rows
  })
  let collected = 0
  // Without a day left it would wait for the write lock to do nothing.
  while (next < days.length) {
    const rows = collectSome.immediate()
    if (rows === 0) break
    collected += rows
    failpoint('compaction.collected')
    await new Promise((resolve) => {
      setTimeout(resolve, COLLECT_PAUSE_MS)
    })
  }
  return collected
}

/** Lists the days that still have hot rows that are in cold. */
export function daysToCollect(db: Sqlite): Day[] {
  return db
    .prepare(
      `SELECT day FROM cold_days AS c
       WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.day = c.day AND e.seq <= c.sealed_through) ORDER BY day`,
    )
    .pluck()
    .all() as Day[]
}
