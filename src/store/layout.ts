import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigError } from '../process/config-error.ts'
import { realDisk } from './disk.ts'
import type { ColdDisk } from './disk.ts'
import { isUnreadablePath } from './duckdb.ts'

/** Paths of all files and folders in DATA_DIR. */
export interface Layout {
  /** SQLite: hot rows and the catalog, in one file so that one transaction can change both. */
  database: string
  /** Locked by the process that writes cold files; see lock.ts. */
  lock: string
  /** Totals over all compactions; see compactor/ledger.ts. */
  compactions: string
  /** Parquet files, `day=YYYY-MM-DD/*.parquet`. */
  cold: string
  /** The index of the ids in `cold`, `*.ids`; see cold/id-segment.ts. */
  ids: string
  /** Unfinished files. Next to `cold` and `ids`, because rename is atomic only within one file system. */
  staging: string
  /** DuckDB's temporary files. */
  spill: string
}

/** Name of the database in DATA_DIR. A folder without it has no store. */
export const DATABASE = 'frostline.db'

/** Only the owner can access a DATA_DIR that is created here. An existing folder keeps its mode. */
const DATA_DIR_MODE = 0o700

/**
 * Names the folders and makes those that are missing.
 * @throws {ConfigError} when DuckDB could not read below this path
 */
export function openLayout(data_dir: string, disk: ColdDisk = realDisk): Layout {
  if (isUnreadablePath(data_dir)) {
    throw new ConfigError('DATA_DIR must not contain both a backslash and one of * ? [')
  }
  const layout = {
    database: join(data_dir, DATABASE),
    lock: join(data_dir, 'cold-writer.lock'),
    compactions: join(data_dir, 'compactions.json'),
    cold: join(data_dir, 'cold'),
    ids: join(data_dir, 'ids'),
    staging: join(data_dir, 'staging'),
    spill: join(data_dir, 'spill'),
  }
  makeFolderLast(data_dir, disk, DATA_DIR_MODE)
  for (const folder of [layout.cold, layout.ids, layout.staging, layout.spill]) disk.makeFolder(folder)
  // Without this fsync a power cut can remove the whole cold folder, including fsynced files in it.
  disk.sync(data_dir)
  return layout
}

/** Creates a folder and its missing parents durably. Only the folder itself gets `mode`. */
function makeFolderLast(path: string, disk: ColdDisk, mode?: number): void {
  if (existsSync(path)) return
  const above = dirname(path)
  makeFolderLast(above, disk)
  disk.makeFolder(path, mode)
  disk.sync(above)
}
