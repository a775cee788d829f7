import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { ColdDisk } from '../store/disk.ts'

/**
 * The bytes of the file that is imported. Its readers open it by name, one after the other and beside the one that makes the checksum, so
 * the checksum is that of what they have read only if nobody wrote to the file meanwhile.
 */
export interface Source {
  /** Without its folder. */
  name: string
  bytes: number
  /** SHA-256, hex. The file is read at the first call. */
  checksum(): Promise<string>
  /** Whether it is the file, with the bytes, that it was when it was opened. */
  isUnchanged(): boolean
}

/** Two writes within one step of the file system's clock leave the same time; on Linux a step is at most 10 ms. */
const CLOCK_STEP_MS = 20

export async function openSource(path: string, disk: Pick<ColdDisk, 'checksum'>): Promise<Source> {
  const stamp = stampOf(path)
  // Whatever is written from now on leaves another time than the stamp's.
  if (Date.now() - Number(stamp?.ctimeMs ?? 0) < CLOCK_STEP_MS) await setTimeout(CLOCK_STEP_MS)
  let hashing: Promise<string> | undefined

  return {
    name: basename(path),
    bytes: Number(stamp?.size ?? 0),
    checksum() {
      hashing ??= disk.checksum(path)
      // Whoever awaits it is told; who fails before that has a reason of his own.
      hashing.catch(() => {})
      return hashing
    },
    isUnchanged() {
      const now = stampOf(path)
      return stamp !== undefined && now !== undefined && STAMP.every((part) => now[part] === stamp[part])
    },
  }
}

/** The time of the last change cannot be set back, as that of the last write can. */
const STAMP = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const

/** Undefined where there is no file; whoever reads it says so. */
function stampOf(path: string) {
  return statSync(path, { bigint: true, throwIfNoEntry: false })
}
