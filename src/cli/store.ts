import { existsSync } from 'node:fs'
import type { Config } from '../config.ts'
import { openLayout } from '../store/layout.ts'
import type { Layout } from '../store/layout.ts'
import { openStore } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { CommandError } from './command.ts'

/** Opening the store for a command. */

/** Threads of DuckDB for an import, a compaction or a check. More help only with days of many millions of rows. */
export const JOB_THREADS = 2

/**
 * The folders of an existing store. A misspelt DATA_DIR is an error, not an empty store.
 * @throws {CommandError}
 */
export function existingLayout({ DATA_DIR }: Pick<Config, 'DATA_DIR'>): Layout {
  const layout = existsSync(DATA_DIR) ? openLayout(DATA_DIR) : null
  if (layout === null || !existsSync(layout.database))
    throw new CommandError(
      `There is no store in ${DATA_DIR}. Is DATA_DIR right? \`frostline serve\` creates a store.`,
    )
  return layout
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
