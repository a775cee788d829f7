import { join } from 'node:path'
import type { Day, Micros } from '../event/time.ts'
import { failpoint } from '../process/failpoint.ts'
import type { ColdDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * What dead processes left behind. Everything here is garbage by the visibility rule, so each part can be interrupted and repeated.
 * Only for the holder of the cold lock: then no living process is making files.
 */

export interface Swept {
  staging_removed: number
  orphans_removed: number
  replaced_removed: number
}

/** Deletes half-made files, files that the catalog does not know, and replaced files that no question can still read. */
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

/** Segments that the catalog does not know. A service that still reads one keeps it open. */
function sweepSegments(db: Sqlite, disk: ColdDisk, layout: Layout): void {
  const known = new Set(db.prepare('SELECT path FROM id_segments').pluck().all())
  for (const name of disk.list(layout.ids)) if (!known.has(name)) disk.remove(join(layout.ids, name))
}

/**
 * A commit whose fsync failed was rolled back, but a crash brings it back while no other commit has taken its place in the log. It may
 * list the very files that are orphans now. An update that changes nothing would write nothing.
 */
function overwriteFailedCommit(db: Sqlite): void {
  db.exec('UPDATE catalog SET generation = generation + 1')
}

/** Rows a transaction, about 6 ms of the processor; a writer waits for no more than one of these. */
export const COLLECT_ROWS = 5_000
/** Between two transactions, so that a waiting writer gets its turn. */
const COLLECT_PAUSE_MS = 2

/** Deletes the hot rows of a day that are already in cold, in small transactions. Returns how many. */
export async function collectSealedRows(db: Sqlite, day: Day): Promise<number> {
  const end = db
    .prepare(
      `SELECT max(seq) FROM (
         SELECT seq FROM events
         WHERE day = @day AND seq <= (SELECT sealed_through FROM cold_days WHERE day = @day)
         ORDER BY seq LIMIT ${COLLECT_ROWS})`,
    )
    .pluck()
  const collect = db.prepare('DELETE FROM events WHERE day = @day AND seq <= @last')
  for (let collected = 0; ;) {
    const last = end.get({ day }) as number | null
    if (last === null) return collected
    collected += collect.run({ day, last }).changes
    failpoint('compaction.collected')
    await new Promise((resolve) => {
      setTimeout(resolve, COLLECT_PAUSE_MS)
    })
  }
}

/** Days that still have hot rows which are already in cold. */
export function daysToCollect(db: Sqlite): Day[] {
  return db
    .prepare(
      `SELECT day FROM cold_days AS c
       WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.day = c.day AND e.seq <= c.sealed_through) ORDER BY day`,
    )
    .pluck()
    .all() as Day[]
}
