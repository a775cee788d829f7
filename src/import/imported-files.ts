import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * Files that were imported, by their bytes. What is stored stays stored, so the same bytes again can bring nothing new: only rows that were
 * rejected may be judged otherwise by a later clock or a later program.
 */
export interface ImportedFile {
  bytes: number
  /** SHA-256, hex. */
  checksum: string
  /** Without its folder. */
  name: string
  imported_at: Micros
  rows: number
  rejected: number
  /** SHA-256 of the list of rejected rows, hex; null if there were none. */
  rejects_checksum: string | null
}

export interface ImportedFiles {
  /** Whether some file of this size was imported. */
  hasSize(bytes: number): boolean
  find(bytes: number, checksum: string): ImportedFile | null
  /** In the transaction that makes the rows visible. A file that is there already is put anew. */
  put(file: ImportedFile): void
}

/** About 30 MB. The oldest go first; a file that is forgotten is imported again, and all of it found to be duplicates. */
export const IMPORTED_FILES_MAX = 100_000

/** How many of the oldest files one statement looks at, and at most forgets. One for each new one would be enough. */
const EVICTED_MAX = 100

const COLUMNS = 'bytes, checksum, name, imported_at, rows, rejected, rejects_checksum'

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
