import { createHash } from 'node:crypto'
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** All file operations of the compactor and the importer, so that tests can inject faults. */
export interface ColdDisk {
  /** Creates a folder with this mode if it is missing. Durable only after its parent is fsynced. */
  makeFolder(path: string, mode?: number): void
  /** Fsyncs a file or folder. */
  sync(path: string): void
  /** Fsyncs files and folders, several at a time: each waits for the disk and not for the others. */
  syncAll(paths: Iterable<string>): Promise<void>
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

/** Read at a time for a checksum, about a millisecond of work. */
const READ_BYTES = 1024 * 1024
/** As many as libuv has threads; more would only wait. */
const SYNCS_MAX = 4

export const realDisk: ColdDisk = {
  makeFolder(path, mode) {
    mkdirSync(path, { recursive: true, mode })
  },
  sync,
  syncAll,
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
    // A stream costs as much as reading and hashing a small file thirty times.
    if (statSync(path).size <= READ_BYTES) hash.update(readFileSync(path))
    else await pipeline(createReadStream(path, { highWaterMark: READ_BYTES }), hash)
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

async function syncAll(paths: Iterable<string>): Promise<void> {
  const rest = [...paths]
  async function work(): Promise<void> {
    for (let path = rest.pop(); path !== undefined; path = rest.pop()) {
      const file = await open(path, 'r')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
    }
  }
  await Promise.all(Array.from({ length: SYNCS_MAX }, work))
}
