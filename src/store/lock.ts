import Database from 'better-sqlite3'
import type { Layout } from './layout.ts'

/**
 * One process at a time writes cold files: a compaction or an import. The lease is a lock that the kernel holds for the process
 * (SQLite's EXCLUSIVE lock on a file of its own), so a process that dies loses it that moment, and no clock, heartbeat or process id
 * decides. A holder that is merely stopped keeps it, so nobody ever takes its files from under it.
 */
export interface ColdLock {
  release(): void
}

/** The sentinel for "somebody else is at work". */
export const BUSY = Symbol('another process writes cold files')

/** Takes the lock, or says at once that another process has it. */
export function tryColdLock(layout: Layout): ColdLock | typeof BUSY {
  const db = new Database(layout.lock, { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { code?: string }).code?.startsWith('SQLITE_BUSY')) return BUSY
    throw error
  }
  return {
    release() {
      db.close()
    },
  }
}

/** Between two looks at a lock that another process holds. */
const LOOK_AGAIN_MS = 200

/**
 * Waits for the lock.
 * @param wait_ms how long at most; 0 looks once
 */
export async function waitForColdLock(
  layout: Layout,
  wait_ms: number,
  onWait: () => void = () => {},
): Promise<ColdLock | typeof BUSY> {
  const until = performance.now() + wait_ms
  for (let first = true; ; first = false) {
    const lock = tryColdLock(layout)
    if (lock !== BUSY || performance.now() >= until) return lock
    if (first) onWait()
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_AGAIN_MS)
    })
  }
}
