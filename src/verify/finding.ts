import type { ColdDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'

/** Input and result of a check of the store. */

export interface Finding {
  /**
   * A cold file, relative to the cold folder; an index segment (`ids/…`); the database; or
   * `hot and cold`, for both together.
   */
  path: string
  /** Null if the finding concerns no single day. */
  day: string | null
  what: string
}

export interface Verification {
  /** Cold files in the catalog. */
  files: number
  /** Visible hot rows, and the rows of the cold files according to the catalog. */
  events: number
  damage: Finding[]
  /** Leftover files, which are harmless: no query reads them, and a compaction deletes them. */
  notes: Finding[]
}

export interface VerifyDeps {
  layout: Layout
  disk: Pick<ColdDisk, 'list' | 'size' | 'checksum' | 'remove'>
  /** For DuckDB, which only a deep check uses. */
  memory_mb: number
  threads: number
  onProgress: (stage: string, done: number, total: number) => void
}
