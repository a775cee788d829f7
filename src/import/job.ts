import type { Micros } from '../event/time.ts'
import type { ColdDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { ImportedFile } from './imported-files.ts'
import type { Progress } from './progress.ts'

/** What an import is given, and what it reports. */

export interface ImportDeps {
  db: Sqlite
  layout: Layout
  disk: ColdDisk
  progress: Progress
  now_us: () => Micros
  grace_s: number
  memory_mb: number
  threads: number
}

export interface ImportOptions {
  /** Import nothing if any row is rejected. */
  strict: boolean
  /** Import a file also if it was imported before. */
  force: boolean
}

export interface ImportReport {
  rows: number
  imported: number
  duplicates: number
  rejected: number
  days: number
  files: number
  bytes: number
  took_ms: number
  /** The file was imported then, and nothing was done now; null otherwise. */
  already_imported_at: string | null
}

export interface ImportResult {
  report: ImportReport
  /** The import of the same bytes that this is the answer of; null if there was none. */
  earlier: ImportedFile | null
  /** Something wrote to the file while it was read, so that nobody knows which bytes were imported. */
  is_changed: boolean
  /** Where the rejected rows are; null if there are none. */
  rejected_path: string | null
}
