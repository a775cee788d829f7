import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { pipeline } from 'node:stream/promises'

/** The one seam through which the compactor and the importer touch files. */
export interface ColdDisk {
  /** Makes a folder if it is missing, with this mode; lasts only after its parent is synced. */
  makeFolder(path: string, mode?: number): void
  /** Returns when the file's bytes would survive a power cut. */
  sync(path: string): void
  /** Moves a file to a name that does not exist yet; lasts only after both folders are synced. */
  rename(from: string, to: string): void
  /** Deletes a file or a folder with all that is in it; nothing happens if it is gone already. */
  remove(path: string): void
  /** Deletes a folder if it is empty. */
  removeIfEmpty(path: string): void
  /** Names in a folder; none if there is no folder. */
  list(path: string): string[]
  size(path: string): number
  /** SHA-256 of the file, hex. */
  checksum(path: string): Promise<string>
}

export const realDisk: ColdDisk = {
  makeFolder(path, mode) {
    mkdirSync(path, { recursive: true, mode })
  },
  sync,
  rename: renameSync,
  remove(path) {
    rmSync(path, { recursive: true, force: true })
  },
  removeIfEmpty(path) {
    try {
      rmdirSync(path)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error
    }
  },
  list(path) {
    try {
      return readdirSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  },
  size: (path) => statSync(path).size,
  async checksum(path) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash)
    return hash.digest('hex')
  },
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
