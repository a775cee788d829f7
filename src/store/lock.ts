import Database from 'better-sqlite3'
import type { Layout } from './layout.ts'

/**
 * The lock that lets one process at a time write cold files: a compaction, an import or an index rebuild.
 * It is SQLite's EXCLUSIVE lock on a separate file, held by the kernel. A process that dies loses it at
 * once, and one that is suspended keeps it; no clock, heartbeat or pid is involved.
 */
export interface ColdLock {
  release(): void
}

/** Returned when another process holds the lock. */
export const BUSY = Symbol('another process writes cold files')

/** Takes the lock without waiting. */
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

const POLL_MS = 200

/**
 * Waits for the lock.
 * @param wait_ms timeout; 0 tries once
 * @param onWait called once, if the lock is not free at the first try
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
      setTimeout(resolve, POLL_MS)
    })
  }
}
