import { createHash } from 'node:crypto'
import { formatInstant } from '../event/time.ts'
import type { ColdDisk } from '../store/disk.ts'
import type { ImportedFile, ImportedFiles } from './imported-files.ts'
import type { ImportReport } from './job.ts'
import type { Progress } from './progress.ts'
import type { Rejects } from './rejects.ts'
import type { Source } from './source.ts'

/** Skips an import if a file with the same bytes was imported before. */

/**
 * Computes the checksum that identifies an import. It covers the bytes of the file and the options with which they are
 * read, because the same bytes give other events with other options.
 * @param way the options, from `wayOf`
 * @returns SHA-256, hex
 */
export async function identify(source: Source, way: string): Promise<string> {
  const checksum = await source.checksum()
  return way === '' ? checksum : createHash('sha256').update(`${checksum} ${way}`).digest('hex')
}

/**
 * Finds an earlier import of the same bytes with the same options; null if there is none, or if its rejects file has to
 * be written again.
 */
export async function findEarlier(
  { progress, disk }: { progress: Progress; disk: Pick<ColdDisk, 'checksum'> },
  imported_files: ImportedFiles,
  source: Source,
  way: string,
  rejects: Rejects,
  strict: boolean,
): Promise<ImportedFile | null> {
  // If no imported file has this size, the checksum is computed later, during the import. The file is then read only once.
  if (!imported_files.hasSize(source.bytes)) return null
  const checksum = await progress.during('checking for an earlier import', null, () => identify(source, way))
  const earlier = source.isUnchanged() ? imported_files.find(source.bytes, checksum) : null
  if (earlier === null || earlier.rejected === 0) return earlier
  // If rows were rejected, the rejects file must be intact. Otherwise the import runs and writes it again.
  const has_rejects =
    !strict && rejects.exists() && (await disk.checksum(rejects.path)) === earlier.rejects_checksum
  return has_rejects ? earlier : null
}

/** The report of a skipped import: all valid rows count as duplicates. */
export function reportEarlier({ rows, rejected, imported_at }: ImportedFile, took_ms: number): ImportReport {
  return {
    rows,
    imported: 0,
    duplicates: rows - rejected,
    rejected,
    days: 0,
    files: 0,
    bytes: 0,
    took_ms,
    already_imported_at: formatInstant(imported_at),
  }
}
