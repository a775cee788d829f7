import { stat } from 'node:fs/promises'
import type { Sqlite } from './sqlite.ts'

/** Watches what a connection to the database cannot notice. A timer polls, so that no request waits for it. */
export interface StoreWatch {
  /**
   * The database file was deleted or replaced. SQLite goes on writing to the old file, and what it commits is
   * lost when the service ends.
   */
  readonly gone: boolean
  /** For how long another process has kept the service from committing; 0 if none does. */
  readonly locked_ms: number
  /** The service committed something. */
  onCommit(): void
  stop(): void
}

/** A check costs microseconds. */
const CHECK_EVERY_MS = 1_000

export interface StoreWatchOptions {
  path: string
  /** A connection for writing that does not wait for locks. */
  db: Sqlite
  onGone: () => void
}

/** Checks once, then polls until it is stopped. */
export async function watchStore({ path, db, onGone }: StoreWatchOptions): Promise<StoreWatch> {
  const opened = await identityOf(path)
  let gone = false
  let locked_at_ms: number | null = null

  async function check(): Promise<void> {
    locked_at_ms = isLocked(db) ? (locked_at_ms ?? performance.now()) : null
    if (gone || (await identityOf(path)) === opened) return
    gone = true
    onGone()
  }

  const timer = setInterval(() => void check(), CHECK_EVERY_MS).unref()
  return {
    get gone() {
      return gone
    },
    get locked_ms() {
      return locked_at_ms === null ? 0 : performance.now() - locked_at_ms
    },
    onCommit() {
      locked_at_ms = null
    },
    stop() {
      clearInterval(timer)
    },
  }
}

/** Device and inode; null if the file does not exist. */
async function identityOf(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path)
    return `${dev} ${ino}`
  } catch {
    return null
  }
}

/** Whether another connection holds the write lock. Nothing is written. */
function isLocked(db: Sqlite): boolean {
  try {
    db.exec('BEGIN IMMEDIATE')
    db.exec('ROLLBACK')
    return false
  } catch (error) {
    return (error as { code?: string }).code === 'SQLITE_BUSY'
  }
}
