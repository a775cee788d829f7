import { basename, join } from 'node:path'
import { isComplete } from '../cold/id-index.ts'
import { ENTRY_BYTES } from '../cold/id-segment.ts'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { newestSeq } from '../hot/newest-seq.ts'
import { HOT_ROWS, IS_VISIBLE, readCatalog, readGeneration } from '../store/catalog.ts'
import type { Catalog, ColdFile, IdSegmentRow } from '../store/catalog.ts'
import type { Layout } from '../store/layout.ts'
import { NewerStoreError, openStoreForReading } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Finding, Verification, VerifyDeps } from './finding.ts'
import type { RowCheck } from './rows.ts'

/** Checks the store against its catalog. Read-only; can run beside a service, compactions and imports. */

/**
 * A compaction can delete a file during a check. The check is then repeated on the new catalog, at
 * most this often.
 */
const ATTEMPTS_MAX = 10

/**
 * Checks a store. A light check covers the structure of the database, and the presence and size of
 * every file in the catalog. A deep check also reads every byte and row, and looks for event ids
 * stored more than once in both tiers.
 */
export async function verifyStore(deps: VerifyDeps, deep: boolean): Promise<Verification> {
  const result: Verification = { files: 0, events: 0, damage: [], notes: [] }
  let db: Sqlite | undefined
  let rows: RowCheck | undefined
  try {
    db = openStoreForReading(deps.layout.database)
    deps.onProgress('database', 0, 1)
    result.damage = checkDatabase(db, deps.layout, deep)
    // Loaded only here, so that the scheduled light check does not load DuckDB.
    if (deep) rows = await (await import('./rows.ts')).openRowCheck(deps, db)
    const sound = new Set<string>()
    for (let attempt = 1; ; attempt += 1) {
      const found = await checkOnce(deps, db, rows, sound)
      const moved = found.damage.length > 0 && readGeneration(db) !== found.generation
      if (moved && attempt < ATTEMPTS_MAX) continue
      return { ...found, damage: [...result.damage, ...found.damage] }
    }
  } catch (error) {
    // If the database is known to be damaged, later errors are a consequence.
    if (result.damage.length === 0 && !isDatabaseDamage(error)) throw error
    result.damage.push(inDatabase(deps.layout, `cannot be read: ${(error as Error).message}`))
    return result
  } finally {
    rows?.close()
    db?.close()
  }
}

/**
 * Any SqliteError counts, except a lock or a missing file: in a damaged database, statements can
 * fail to compile too.
 */
function isDatabaseDamage(error: unknown): boolean {
  if (error instanceof NewerStoreError || !(error instanceof Error)) return false
  const { code = '' } = error as { code?: string }
  return error.name === 'SqliteError' && !code.startsWith('SQLITE_BUSY') && code !== 'SQLITE_CANTOPEN'
}

function inDatabase({ database }: Layout, what: string): Finding {
  return { path: basename(database), day: null, what }
}

function checkDatabase(db: Sqlite, layout: Layout, deep: boolean): Finding[] {
  const lines = db
    .prepare(deep ? 'PRAGMA integrity_check' : 'PRAGMA quick_check')
    .pluck()
    .all() as string[]
  return lines.filter((line) => line !== 'ok').map((line) => inDatabase(layout, line))
}

/**
 * Checks one state of the catalog. Files in `sound` are skipped, because cold files never change;
 * new ones are added.
 */
async function checkOnce(
  { layout, disk, onProgress }: VerifyDeps,
  db: Sqlite,
  rows: RowCheck | undefined,
  sound: Set<string>,
): Promise<Verification & { generation: number }> {
  const present = listFiles(disk, layout)
  const { catalog, replaced, hot_events, newest_seq } =
    rows === undefined ? db.transaction(readStore)(db) : await rows.takeHotIds(db, readStore)

  const damage = checkCatalog(catalog, newest_seq, layout)
  for (const segment of catalog.segments) {
    const wrong = await checkSegment(disk, layout, segment, rows)
    damage.push(...wrong.map((what) => ({ path: join('ids', segment.path), day: null, what })))
  }
  const index_is_whole = damage.length === 0 && isComplete(catalog.files, catalog.segments)
  for (const [done, file] of catalog.files.entries()) {
    onProgress('cold files', done, catalog.files.length)
    if (sound.has(file.path)) continue
    const wrong = await checkFile(disk, layout, file, rows, index_is_whole)
    damage.push(...wrong.map((what) => ({ path: file.path, day: dayName(file.day), what })))
    if (wrong.length === 0) sound.add(file.path)
  }
  if (rows !== undefined) {
    onProgress('event ids', 0, 1)
    const intact = catalog.files.filter((file) => sound.has(file.path))
    const wrong = await rows.checkIds(intact, intact.length === catalog.files.length)
    damage.push(...wrong.map((what) => ({ path: 'hot and cold', day: null, what })))
  }

  // Not reported on top of a damaged file or segment, which can be its cause.
  if (damage.length === 0 && !index_is_whole)
    damage.push({ path: 'ids', day: null, what: 'does not match the cold files' })

  const known = new Set([...catalog.files.map((file) => file.path), ...replaced])
  const unknown = present.cold.filter((path) => !known.has(path))
  return {
    files: catalog.files.length,
    events: catalog.files.reduce((n, file) => n + file.rows, hot_events),
    damage,
    notes: [
      ...unknown.map((path) => ({ path, day: null, what: 'is unknown to the catalog' })),
      ...present.staging.map((name) => ({ path: join('staging', name), day: null, what: 'is unfinished' })),
    ],
    generation: catalog.generation,
  }
}

function listFiles(disk: VerifyDeps['disk'], layout: Layout): { cold: string[]; staging: string[] } {
  const folders = disk.list(layout.cold).filter((name) => name.startsWith('day='))
  return {
    cold: folders.flatMap((folder) => disk.list(join(layout.cold, folder)).map((name) => join(folder, name))),
    staging: disk.list(layout.staging),
  }
}

/** Call it in a transaction, so that hot and cold are of one snapshot. */
function readStore(db: Sqlite) {
  return {
    catalog: readCatalog(db),
    replaced: db.prepare('SELECT path FROM replaced_files').pluck().all() as string[],
    hot_events: db.prepare(`SELECT count(*) FROM ${HOT_ROWS} WHERE ${IS_VISIBLE}`).pluck().get() as number,
    newest_seq: newestSeq(db)(),
  }
}

/**
 * Checks the catalog tables against each other. A `sealed_through` beyond the newest row would hide
 * future rows.
 */
function checkCatalog(catalog: Catalog, newest_seq: number, layout: Layout): Finding[] {
  const days = new Map(catalog.days.map((day) => [day.day, day.sealed_through]))
  const damage: Finding[] = []
  for (const [day, sealed_through] of days) {
    if (sealed_through <= newest_seq) continue
    const what = `seals rows up to ${sealed_through}, and the newest is ${newest_seq}`
    damage.push({ ...inDatabase(layout, what), day: dayName(day) })
  }
  for (const { path, day } of catalog.files) {
    if (!path.startsWith(`day=${dayName(day)}/`) || !days.has(day)) {
      damage.push({
        path,
        day: dayName(day),
        what: 'is listed in the catalog under another day, or under no day',
      })
    }
  }
  return damage
}

/** Returns what is wrong with a file; empty if nothing is. */
async function checkFile(
  disk: VerifyDeps['disk'],
  layout: Layout,
  file: ColdFile,
  rows: RowCheck | undefined,
  index_is_whole: boolean,
): Promise<string[]> {
  const path = join(layout.cold, file.path)
  try {
    const bytes = disk.size(path)
    if (bytes !== file.bytes) return [`has ${bytes} bytes, and the catalog says ${file.bytes}`]
    if (rows === undefined) return []
    if ((await disk.checksum(path)) !== file.checksum) return ['does not match its checksum']
    return await rows.checkFile(file, index_is_whole)
  } catch (error) {
    return [unreadable(error)]
  }
}

function unreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'is missing' : `cannot be read: ${message}`
}

/** Returns what is wrong with an index segment. A service that finds such damage rebuilds the index. */
async function checkSegment(
  disk: VerifyDeps['disk'],
  layout: Layout,
  segment: IdSegmentRow,
  rows: RowCheck | undefined,
): Promise<string[]> {
  const path = join(layout.ids, segment.path)
  try {
    const bytes = disk.size(path)
    const bytes_expected = segment.ids * ENTRY_BYTES
    if (bytes !== bytes_expected) return [`has ${bytes} bytes, and the catalog says ${bytes_expected}`]
    if (rows === undefined) return []
    if ((await disk.checksum(path)) !== segment.checksum) return ['does not match its checksum']
    await rows.takeSegment(segment)
    return []
  } catch (error) {
    return [unreadable(error)]
  }
}

/** A damaged catalog can contain a day that does not exist. */
function dayName(day: Day): string {
  try {
    return formatDay(day)
  } catch {
    return String(day)
  }
}
