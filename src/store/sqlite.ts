import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'
import { MIGRATIONS, SCHEMA_VERSION } from './schema.ts'

/**
 * The only file that opens the SQLite store:
 * it sets the pragmas for durability and migrates the schema.
 */

export type Sqlite = Database.Database

/** Other processes commit in milliseconds, so a longer wait is an error. */
const BUSY_TIMEOUT_MS = 15_000
const PAGE_BYTES = 16_384
/**
 * 4 MiB. The commit that reaches this size runs the checkpoint,
 * and a larger WAL would delay it too long.
 */
const CHECKPOINT_PAGES = 256
const WAL_BYTES_KEPT = 64 * 1024 * 1024

/** The store was written by a newer version of the program. */
export class NewerStoreError extends Error {
  override name = 'NewerStoreError'
}

/**
 * Opens the store for writing. Creates the file if it is missing, and migrates its schema.
 * @throws {NewerStoreError}
 */
export function openStore(path: string): Sqlite {
  makeForOwner(path)
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    refuseNewer(userVersion(db), path)
    db.pragma(`page_size = ${PAGE_BYTES}`)
    db.pragma('journal_mode = WAL')
    // better-sqlite3 defaults to NORMAL in WAL mode, which fsyncs only at checkpoints: an acknowledged
    // event would not survive a power cut.
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
 * Creates the file if it is missing, readable only by its owner, because it holds hashes of keys and
 * passwords. SQLite gives the WAL and the shared-memory file the same mode. An existing file is not
 * opened: closing it would release the POSIX locks that SQLite holds in this process.
 */
function makeForOwner(path: string): void {
  try {
    closeSync(openSync(path, 'ax', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * Opens an existing store read-only.
 * @throws {NewerStoreError}
 */
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
 * Opens an existing store for small writes on a thread that must not block. A write fails with
 * SQLITE_BUSY while another connection writes. Commits are not fsynced: they survive a crash of the
 * process, but maybe not a power cut.
 * @throws {NewerStoreError}
 */
export function openStoreForNotes(path: string): Sqlite {
  const db = new Database(path, { fileMustExist: true, timeout: 0 })
  try {
    refuseNewer(userVersion(db), path)
    db.pragma('synchronous = NORMAL')
    // Checkpoints would block this thread, so they are left to the writer.
    db.pragma('wal_autocheckpoint = 0')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** How long SQLite itself waits for the lock in one try of {@link beginWriting}. */
const POLL_MS = 1

/**
 * Begins a transaction that holds the write lock. It polls by itself, because SQLite's busy handler
 * backs off to 100 ms, and a job that commits often with short pauses would then block a writer for
 * half a second.
 * @throws SQLITE_BUSY if another connection holds the lock for {@link BUSY_TIMEOUT_MS}
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

/** Runs `act` in a transaction that {@link beginWriting} begins. */
export function inWriting<T>(db: Sqlite, act: () => T): T {
  beginWriting(db)
  try {
    const result = act()
    db.exec('COMMIT')
    return result
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK')
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
    `${path} has schema version ${version}, but this program supports versions up to ${SCHEMA_VERSION}. ` +
      'Use the newer program that wrote it. Nothing was changed.',
  )
}

function migrate(db: Sqlite, path: string): void {
  if (userVersion(db) === SCHEMA_VERSION) return
  refuseNewer(userVersion(db), path)
  // Another process may be migrating the same file, so the version is read again under the write lock.
  db.transaction(() => {
    const from = userVersion(db)
    refuseNewer(from, path)
    for (const step of MIGRATIONS.slice(from)) db.exec(step)
    db.pragma(`user_version = ${SCHEMA_VERSION}`)
  }).immediate()
}
