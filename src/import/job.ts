import type { HeaderOptions } from '../event/csv-header.ts'
import type { Micros } from '../event/time.ts'
import type { ColdDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Format } from './format.ts'
import type { ImportedFile } from './imported-files.ts'
import type { Progress } from './progress.ts'

/** The dependencies, options and report of an import. */

export interface ImportDeps {
  db: Sqlite
  layout: Layout
  disk: ColdDisk
  progress: Progress
  now_us: () => Micros
  /** How long replaced files are kept for running queries, in seconds. */
  grace_s: number
  /** Memory limit of DuckDB. */
  memory_mb: number
  /** Threads of DuckDB, and limit of the groups of days written in parallel. */
  threads: number
}

export interface ImportOptions extends HeaderOptions {
  format: Format
  /** Import nothing if any row is rejected. */
  strict: boolean
  /** Import the file even if it was imported before. */
  force: boolean
}

export interface ImportReport {
  /** Rows or lines in the file, without the header and blank lines. */
  rows: number
  imported: number
  duplicates: number
  rejected: number
  days: number
  /** Cold files written. */
  files: number
  /** Size of the cold files written. */
  bytes: number
  took_ms: number
  /** ISO 8601 time of the earlier import of the same bytes if this one was skipped; null otherwise. */
  already_imported_at: string | null
}

export interface ImportResult {
  report: ImportReport
  /** The earlier import of the same bytes if this one was skipped; null otherwise. */
  earlier: ImportedFile | null
  /** The file was modified while it was read, so it is unknown which bytes were imported. */
  is_changed: boolean
  /** Path of the rejects file; null if no row was rejected. */
  rejected_path: string | null
}
