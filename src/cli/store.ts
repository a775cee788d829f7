import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { DATABASE } from '../store/layout.ts'
import type { Layout } from '../store/layout.ts'
import { openStore } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { CommandError } from './command.ts'

/** Opening the store for a command. */

/** Threads of DuckDB for an import, a compaction or a check. More help only with days of many millions of rows. */
export const JOB_THREADS = 2

/**
 * Makes sure that there is a store, and leaves nothing where there is none.
 * @throws {CommandError}
 */
export function requireStore({ DATA_DIR }: Pick<Config, 'DATA_DIR'>): void {
  if (existsSync(join(DATA_DIR, DATABASE))) return
  throw new CommandError(
    `There is no store in ${DATA_DIR}. Is DATA_DIR right? \`frostline serve\` and \`frostline import\` create a store.`,
  )
}

/** Opens a store for one command, also while the service runs. */
export function withStore<T>({ database }: Layout, act: (db: Sqlite) => T): T {
  const db = openStore(database)
  try {
    return act(db)
  } finally {
    db.close()
  }
}
