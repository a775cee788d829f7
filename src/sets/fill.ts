import { join } from 'node:path'
import { addSets } from '../store/catalog.ts'
import type { ColdFile } from '../store/catalog.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import { inWriting } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { makeSets } from './make.ts'

/** Files without sets, such as those of an older version. The largest come last. */
export function filesWithoutSets(db: Sqlite): ColdFile[] {
  return db
    .prepare('SELECT * FROM cold_files WHERE path NOT IN (SELECT path FROM file_sets) ORDER BY rows')
    .all() as ColdFile[]
}

/** Makes the sets of some files that have none. The caller holds the cold lock. */
export async function fillSets(
  db: Sqlite,
  layout: Layout,
  connection: DuckConnection,
  files: readonly ColdFile[],
): Promise<void> {
  const sets = await makeSets(
    connection,
    db,
    files.map(({ path }) => ({ path, at: join(layout.cold, path) })),
  )
  inWriting(db, () => addSets(db, sets))
}
