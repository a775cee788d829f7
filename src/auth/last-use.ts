import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'

/** Records when each key was last used. A write for each request would cost more than the request. */
export interface LastUse {
  note(key: number): void
  /** Writes what is still pending, unless another connection holds the write lock. */
  close(): void
}

/** A key is written at most this often. */
export const NOTE_EVERY_MS = 60_000
/** Delay before the first attempt to write a use, and between attempts. */
export const TRY_EVERY_MS = 1_000

export interface LastUseOptions {
  /** @returns how many keys were written; 0 if the database is locked */
  write: (uses: ReadonlyMap<number, Micros>) => number
  now_us: () => Micros
  /** A monotonic clock. */
  now_ms: () => number
  /** Calls `act` once after `ms`. Returns a function that cancels the call. */
  later: (act: () => void, ms: number) => () => void
}

export function createLastUse({ write, now_us, now_ms, later }: LastUseOptions): LastUse {
  // Bounded by the number of keys in the store: only valid keys are noted.
  const noted = new Map<number, Micros>()
  const written_ms = new Map<number, number>()
  let cancel: (() => void) | null = null

  function schedule(): void {
    cancel ??= later(tryToWrite, TRY_EVERY_MS)
  }

  function tryToWrite(): void {
    cancel = null
    const due = [...noted].filter(([key]) => now_ms() - (written_ms.get(key) ?? -Infinity) >= NOTE_EVERY_MS)
    if (due.length > 0 && write(new Map(due)) > 0) {
      for (const [key] of due) {
        noted.delete(key)
        written_ms.set(key, now_ms())
      }
    }
    if (noted.size > 0) schedule()
  }

  return {
    note(key) {
      noted.set(key, now_us())
      schedule()
    },
    close() {
      cancel?.()
      if (noted.size > 0) write(noted)
    },
  }
}

/** @param db from openStoreForNotes */
export function lastUseWriter(db: Sqlite): LastUseOptions['write'] {
  const update = db.prepare('UPDATE api_keys SET last_used_at = ? WHERE id = ?')
  return function writeLastUse(uses) {
    try {
      return db
        .transaction(() => {
          let changes = 0
          for (const [key, at_us] of uses) changes += update.run(at_us, key).changes
          return changes
        })
        .immediate()
    } catch (error) {
      if ((error as { code?: string }).code === 'SQLITE_BUSY') return 0
      throw error
    }
  }
}
