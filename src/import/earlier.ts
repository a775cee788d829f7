import { formatInstant } from '../event/time.ts'
import type { ColdDisk } from '../store/disk.ts'
import type { ImportedFile, ImportedFiles } from './imported-files.ts'
import type { ImportReport } from './job.ts'
import type { Progress } from './progress.ts'
import type { Rejects } from './rejects.ts'
import type { Source } from './source.ts'

/** Whether an earlier import of the same bytes may answer for this one, and how. */

/** An import of the same bytes that may answer for this one; null if there is none. */
export async function findEarlier(
  { progress, disk }: { progress: Progress; disk: Pick<ColdDisk, 'checksum'> },
  imported_files: ImportedFiles,
  source: Source,
  rejects: Rejects,
  strict: boolean,
): Promise<ImportedFile | null> {
  // A file of a new size is not read twice one after the other: its checksum is made while it is imported.
  if (!imported_files.hasSize(source.bytes)) return null
  const checksum = await progress.during('looking whether it was imported before', null, source.checksum)
  const earlier = source.isUnchanged() ? imported_files.find(source.bytes, checksum) : null
  if (earlier === null || earlier.rejected === 0) return earlier
  // Rejected rows are told with their reasons or not at all: where the list is gone or altered, it is made once more.
  const told = !strict && rejects.exists() && (await disk.checksum(rejects.path)) === earlier.rejects_checksum
  return told ? earlier : null
}

/** All that an import of these bytes would find now. */
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
