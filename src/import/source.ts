import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ColdDisk } from '../store/disk.ts'

/**
 * The file to import. The readers and the checksum open it by name several times, so the checksum is valid
 * for what the readers have read only if the file was not modified meanwhile.
 */
export interface Source {
  /** Without its folder. */
  name: string
  bytes: number
  /** SHA-256, hex. The first call reads the file. */
  checksum(): Promise<string>
  /** Whether the file was neither replaced nor modified since {@link openSource}. */
  isUnchanged(): boolean
}

/**
 * Two writes within one tick of the file system's clock get the same mtime;
 * on Linux a tick is at most 10 ms.
 */
const CLOCK_STEP_MS = 20

export async function openSource(path: string, disk: Pick<ColdDisk, 'checksum'>): Promise<Source> {
  const stamp = stampOf(path)
  // After this wait every write changes the stamp.
  if (Date.now() - Number(stamp?.ctimeMs ?? 0) < CLOCK_STEP_MS) await setTimeout(CLOCK_STEP_MS)
  let hashing: Promise<string> | undefined

  return {
    name: basename(path),
    bytes: Number(stamp?.size ?? 0),
    checksum() {
      hashing ??= disk.checksum(path)
      // Prevents an unhandled rejection if the import fails before it awaits the checksum.
      hashing.catch(() => {})
      return hashing
    },
    isUnchanged() {
      const now = stampOf(path)
      return stamp !== undefined && now !== undefined && STAMP.every((part) => now[part] === stamp[part])
    },
  }
}

/** Includes ctime, because programs can set mtime back but not ctime. */
const STAMP = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const

/** Undefined if there is no file; the reader then reports the error. */
function stampOf(path: string) {
  return statSync(path, { bigint: true, throwIfNoEntry: false })
}
