import { statfs } from 'node:fs/promises'

/** Watches free disk space. A timer polls it, so that no request waits for it. */
export interface DiskSpace {
  /** Whether free space was below the limit at the last check. */
  readonly full: boolean
  stop(): void
}

/** Returns the free bytes of the file system that holds a path. */
export type ReadFreeBytes = (path: string) => Promise<number>

export async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** A check costs microseconds. In one second the writer stores about 30 MB. */
const CHECK_EVERY_MS = 1_000

export interface DiskSpaceOptions {
  path: string
  /** Free space reserved for compactions and for the operator; 0 turns the check off. */
  floor_bytes: number
  read: ReadFreeBytes
  onChange: (full: boolean, free_bytes: number) => void
  /** Free space cannot be read. Called once per series of failures. */
  onTrouble: (error: unknown) => void
}

/** Checks once, then polls until it is stopped. */
export async function watchDiskSpace(options: DiskSpaceOptions): Promise<DiskSpace> {
  const { path, floor_bytes, read, onChange, onTrouble } = options
  let full = false
  let checking = false
  let failing = false

  async function check(): Promise<void> {
    // A slow disk must not accumulate checks.
    if (checking) return
    checking = true
    try {
      const free_bytes = await read(path)
      const was_full = full
      full = free_bytes < floor_bytes
      if (full !== was_full) onChange(full, free_bytes)
      failing = false
    } catch (error) {
      // Unknown is treated as not full: if the disk is full, the write itself fails and is reported.
      full = false
      if (!failing) onTrouble(error)
      failing = true
    } finally {
      checking = false
    }
  }

  await check()
  const timer = setInterval(() => void check(), CHECK_EVERY_MS).unref()
  return {
    get full() {
      return full
    },
    stop() {
      clearInterval(timer)
    },
  }
}
