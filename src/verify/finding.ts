import type { ColdDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'

/** What a check of the store is given, and what it finds. */

export interface Finding {
  /** The cold file, relative to the folder of cold files; or `ids/…`, a segment; or the database; or what they hold together. */
  path: string
  /** Null where it is no matter of one day. */
  day: string | null
  what: string
}

export interface Verification {
  /** Cold files, and events in both tiers, that the catalog and the hot tier claim. */
  files: number
  events: number
  damage: Finding[]
  /** Nothing is wrong with these: they are left-overs, invisible, and the next compaction deletes them. */
  notes: Finding[]
}

export interface VerifyDeps {
  layout: Layout
  disk: Pick<ColdDisk, 'list' | 'size' | 'checksum' | 'remove'>
  /** For DuckDB, in a deep check alone. */
  memory_mb: number
  threads: number
  onProgress: (stage: string, done: number, total: number) => void
}
