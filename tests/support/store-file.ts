import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'

/** The SQLite file of a store in a folder of its own, for tests that need nothing else of it. */
export interface StoreFile {
  path: string
  db: Sqlite
  remove(): void
}

export function createStoreFile(): StoreFile {
  const folder = mkdtempSync(join(tmpdir(), 'frostline-'))
  const path = join(folder, 'frostline.db')
  const db = openStore(path)
  return {
    path,
    db,
    remove() {
      db.close()
      rmSync(folder, { recursive: true })
    },
  }
}
