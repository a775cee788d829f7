import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { realDisk } from './disk.ts'
import type { ColdDisk } from './disk.ts'

/** Where everything lies below DATA_DIR. */
export interface Layout {
  /** SQLite: hot rows and the catalog, so that one transaction can change both. */
  database: string
  /** Held by whoever writes cold files; see lock.ts. */
  lock: string
  /** What compactions have done so far; see compactor/ledger.ts. */
  compactions: string
  /** Parquet, `day=YYYY-MM-DD/*.parquet`. */
  cold: string
  /** The index of the ids in `cold`, `*.ids`; see cold/id-segment.ts. */
  ids: string
  /** Files being made. On the same file system as `cold` and `ids`, because rename is atomic only within one. */
  staging: string
  /** Where DuckDB spills what does not fit its memory. */
  spill: string
}

/** Of a DATA_DIR that is made here: nobody but the owner looks into it. Whoever made it himself has chosen who may. */
const DATA_DIR_MODE = 0o700

/** Names the folders and makes those that are missing. */
export function openLayout(data_dir: string, disk: ColdDisk = realDisk): Layout {
  const layout = {
    database: join(data_dir, 'frostline.db'),
    lock: join(data_dir, 'cold-writer.lock'),
    compactions: join(data_dir, 'compactions.json'),
    cold: join(data_dir, 'cold'),
    ids: join(data_dir, 'ids'),
    staging: join(data_dir, 'staging'),
    spill: join(data_dir, 'spill'),
  }
  makeFolderLast(data_dir, disk, DATA_DIR_MODE)
  for (const folder of [layout.cold, layout.ids, layout.staging, layout.spill]) disk.makeFolder(folder)
  // Without this a power cut may take the whole folder of cold files, with all that was synced in it.
  disk.sync(data_dir)
  return layout
}

/** Makes a folder, and those above it that are missing, which have no mode of ours. Each lasts only after the one that it stands in is synced. */
function makeFolderLast(path: string, disk: ColdDisk, mode?: number): void {
  if (existsSync(path)) return
  const above = dirname(path)
  makeFolderLast(above, disk)
  disk.makeFolder(path, mode)
  disk.sync(above)
}
