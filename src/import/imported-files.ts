import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * An imported file, identified by its bytes and the options with which they were read. Importing it again adds no event,
 * except for rejected rows that are valid at a later time or in a later version of the program.
 */
export interface ImportedFile {
  /** Size before decompression. */
  bytes: number
  /** SHA-256, hex, from `identify` in earlier.ts. */
  checksum: string
  /** File name without its folder. */
  name: string
  imported_at: Micros
  rows: number
  rejected: number
  /** SHA-256 of the rejects file, hex; null if no row was rejected. */
  rejects_checksum: string | null
}

export interface ImportedFiles {
  /** Whether a file of this size was imported. */
  hasSize(bytes: number): boolean
  /** The import with this size and checksum; null if there is none. */
  find(bytes: number, checksum: string): ImportedFile | null
  /** Inserts or replaces. Call it in the transaction that makes the rows visible. */
  put(file: ImportedFile): void
}

/**
 * Limit of the table, about 30 MB. The oldest files are evicted first. If an evicted file is imported
 * again, it is read again and all its rows are duplicates.
 */
export const IMPORTED_FILES_MAX = 100_000

/** Rows that one eviction examines, and deletes at most. One per new file would be enough. */
const EVICTED_MAX = 100

const COLUMNS = 'bytes, checksum, name, imported_at, rows, rejected, rejects_checksum'

/** Prepares the statements on the table `imported_files`. */
export function openImportedFiles(db: Sqlite): ImportedFiles {
  const size = db.prepare('SELECT 1 FROM imported_files WHERE bytes = ? LIMIT 1')
  const select = db.prepare(`SELECT ${COLUMNS} FROM imported_files WHERE bytes = ? AND checksum = ?`)
  const replace = db.prepare(
    `INSERT OR REPLACE INTO imported_files (${COLUMNS})
     VALUES (@bytes, @checksum, @name, @imported_at, @rows, @rejected, @rejects_checksum)`,
  )
  const evict = db.prepare(
    `DELETE FROM imported_files WHERE id IN (SELECT id FROM imported_files ORDER BY id LIMIT ${EVICTED_MAX})
     AND id <= ? - ${IMPORTED_FILES_MAX}`,
  )
  return {
    hasSize: (bytes) => size.get(bytes) !== undefined,
    find: (bytes, checksum) => (select.get(bytes, checksum) as ImportedFile | undefined) ?? null,
    put(file) {
      const { lastInsertRowid } = replace.run(file)
      evict.run(lastInsertRowid)
    },
  }
}
