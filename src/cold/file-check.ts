import { statSync } from 'node:fs'
import { join } from 'node:path'
import { formatDay } from '../event/time.ts'
import type { ColdFile } from '../store/catalog.ts'
import { realDisk } from '../store/disk.ts'
import type { Layout } from '../store/layout.ts'

/** A cold file that the catalog lists is not there or not what it was. Never answered with a smaller number. */
export class ColdFileError extends Error {
  override name = 'ColdFileError'
  constructor(file: ColdFile, what: string, cause?: unknown) {
    super(`Cold file ${file.path} of ${formatDay(file.day)} ${what}. Restore it from a backup.`, { cause })
  }
}

/** Entries of the cache below; a forgotten one is only read once more. */
const CHECKED_FILES_MAX = 100_000

/**
 * Compares cold files with the catalog: their size every time, and their bytes when they are new to us or the disk says that somebody
 * wrote to them. One flipped bit in a file can be another answer that looks as good as the right one.
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
    if (checksum !== file.checksum) throw new ColdFileError(file, 'is not what was written there')
    if (checked.size >= CHECKED_FILES_MAX) checked.clear()
    checked.set(file.path, version)
  }
}
