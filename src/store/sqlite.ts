import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { MIGRATIONS, SCHEMA_VERSION } from './schema.ts'

/** The only file that opens SQLite: the pragmas that the durability promise rests on, and the way to the newest schema. */

export type Sqlite = Database.Database

/** Another process commits in milliseconds; whoever waits longer than this is told so. */
const BUSY_TIMEOUT_MS = 15_000
const PAGE_BYTES = 16_384
/** 4 MiB. Whoever commits then waits until the log is moved into the database, and a longer log takes longer than anybody should wait. */
const CHECKPOINT_PAGES = 256
const WAL_BYTES_KEPT = 64 * 1024 * 1024

/** The data was written by a newer program. */
export class NewerStoreError extends Error {
  override name = 'NewerStoreError'
}

/** Opens the store for writing; makes or upgrades its schema. */
export function openStore(path: string): Sqlite {
  makeForOwner(path)
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    refuseNewer(userVersion(db), path)
    db.pragma(`page_size = ${PAGE_BYTES}`)
    db.pragma('journal_mode = WAL')
    // better-sqlite3 sets NORMAL for WAL files, which syncs only at checkpoints: a 200 would not survive a power cut.
    db.pragma('synchronous = FULL')
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`)
    db.pragma('cache_size = -65536')
    migrate(db, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Makes the file if it is missing, for its owner alone: it holds what passwords and keys hash to. SQLite gives the files beside it the same mode.
 * One that exists is not even opened, because closing it would take this process's locks away from SQLite.
 */
function makeForOwner(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Opens an existing store for reading alone. */
export function openStoreForReading(path: string): Sqlite {
  const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
  try {
    refuseNewer(userVersion(db), path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Opens an existing store for small writes on a thread that must not wait: while somebody else writes they fail with SQLITE_BUSY, and
 * they are not synced. A process that dies loses none of them; a power cut may.
 */
export function openStoreForNotes(path: string): Sqlite {
  const db = new Database(path, { fileMustExist: true, timeout: 0 })
  try {
    refuseNewer(userVersion(db), path)
    db.pragma('synchronous = NORMAL')
    // A checkpoint syncs and copies; the writer makes them.
    db.pragma('wal_autocheckpoint = 0')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** How often {@link beginWriting} looks whether it is its turn. */
const POLL_MS = 1

/**
 * Begins a transaction that holds the write lock. SQLite waits by itself, but for longer each time, up to 100 ms; a job that commits again and
 * again with short pauses between would shut a writer out for half a second.
 * @throws SQLITE_BUSY if another process holds the lock for {@link BUSY_TIMEOUT_MS}
 */
export function beginWriting(db: Sqlite): void {
  const until = performance.now() + BUSY_TIMEOUT_MS
  db.pragma(`busy_timeout = ${POLL_MS}`)
  try {
    while (!tryBegin(db, performance.now() >= until));
  } finally {
    db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
  }
}

function tryBegin(db: Sqlite, is_last: boolean): boolean {
  try {
    db.exec('BEGIN IMMEDIATE')
    return true
  } catch (error) {
    if (is_last || (error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    return false
  }
}

function userVersion(db: Sqlite): number {
  return db.pragma('user_version', { simple: true }) as number
}

function refuseNewer(version: number, path: string): void {
  if (version <= SCHEMA_VERSION) return
  throw new NewerStoreError(
    `${path} has schema version ${version}, and this program knows versions up to ${SCHEMA_VERSION}. ` +
      'Start the newer program that wrote it; nothing was changed.',
  )
}

function migrate(db: Sqlite, path: string): void {
  if (userVersion(db) === SCHEMA_VERSION) return
  refuseNewer(userVersion(db), path)
  // Another process may be upgrading the same file: look again under the write lock.
  db.transaction(() => {
    const from = userVersion(db)
    refuseNewer(from, path)
    for (const step of MIGRATIONS.slice(from)) db.exec(step)
    db.pragma(`user_version = ${SCHEMA_VERSION}`)
  }).immediate()
}
