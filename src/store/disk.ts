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

/** All file operations of the compactor and the importer, so that tests can inject faults. */
export interface ColdDisk {
  /** Creates a folder with this mode if it is missing. Durable only after its parent is fsynced. */
  makeFolder(path: string, mode?: number): void
  /** Fsyncs a file or folder. */
  sync(path: string): void
  /** Renames to a name that does not exist yet. Durable only after both folders are fsynced. */
  rename(from: string, to: string): void
  /** Deletes a file, or a folder with its contents. Does nothing if it does not exist. */
  remove(path: string): void
  /** Deletes a folder if it is empty. */
  removeIfEmpty(path: string): void
  /** Names in a folder; empty if the folder does not exist. */
  list(path: string): string[]
  /** Bytes. */
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
