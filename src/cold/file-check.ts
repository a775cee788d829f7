import { statSync } from 'node:fs'
import { join } from 'node:path'
import { formatDay } from '../event/time.ts'
import type { ColdFile } from '../store/catalog.ts'
import { realDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'

/** A cold file is missing or damaged. The query fails; it must not return a smaller number. */
export class ColdFileError extends Error {
  override name = 'ColdFileError'
  constructor(file: ColdFile, what: string, cause?: unknown) {
    super(`Cold file ${file.path} of ${formatDay(file.day)} ${what}. Restore it from a backup.`, { cause })
  }
}

/** Entries in the cache of verified files. A file that was dropped from the cache is only verified again. */
const CHECKED_FILES_MAX = 100_000

/**
 * Verifies cold files against the catalog: the size on every call, the checksum on the first call and after
 * inode, mtime or ctime changed. Without the checksum, a flipped bit could silently change an answer.
 * @returns a check that rejects with {@link ColdFileError}
 */
export function createFileCheck(layout: Layout): (file: ColdFile) => Promise<void> {
  const checked = new Map<string, string>()

  return async function checkFile(file) {
    const path = join(layout.cold, file.path)
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) throw new ColdFileError(file, 'is missing')
    if (Number(stat.size) !== file.bytes) {
      throw new ColdFileError(file, `has ${stat.size} bytes, and the catalog says ${file.bytes}`)
    }
    const version = `${stat.ino} ${stat.mtimeNs} ${stat.ctimeNs}`
    if (checked.get(file.path) === version) return
    const checksum = await realDisk.checksum(path).catch((error: unknown) => {
      throw new ColdFileError(file, 'cannot be read', error)
    })
    if (checksum !== file.checksum) throw new ColdFileError(file, 'does not match its checksum')
    if (checked.size >= CHECKED_FILES_MAX) checked.clear()
    checked.set(file.path, version)
  }
}
