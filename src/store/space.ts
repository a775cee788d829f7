import { statfs } from 'node:fs/promises'

/** Whether the disk has room for events. Looked at by a clock of its own, so that no request waits for it. */
export interface DiskSpace {
  /** As of the last look. */
  readonly full: boolean
  stop(): void
}

/** Free bytes of the file system that holds a path. */
export type ReadFreeBytes = (path: string) => Promise<number>

export async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/** One look costs microseconds; in one second the writer stores about 30 MB. */
const LOOK_EVERY_MS = 1_000

export interface DiskSpaceOptions {
  path: string
  /** What stays free for compactions, and for whoever comes to make room; 0 never refuses. */
  floor_bytes: number
  read: ReadFreeBytes
  onChange: (full: boolean, free_bytes: number) => void
  onTrouble: (error: unknown) => void
}

/** Looks once, and then again and again until it is stopped. */
export async function watchDiskSpace(options: DiskSpaceOptions): Promise<DiskSpace> {
  const { path, floor_bytes, read, onChange, onTrouble } = options
  let full = false
  let looking = false
  /** The last look failed; told once. */
  let troubled = false

  async function look(): Promise<void> {
    // A disk that answers slowly gets no second question meanwhile.
    if (looking) return
    looking = true
    try {
      const free_bytes = await read(path)
      const was_full = full
      full = free_bytes < floor_bytes
      if (full !== was_full) onChange(full, free_bytes)
      troubled = false
    } catch (error) {
      // Not known is not full: a write that really fails is answered as such.
      full = false
      if (!troubled) onTrouble(error)
      troubled = true
    } finally {
      looking = false
    }
  }

  await look()
  const timer = setInterval(() => void look(), LOOK_EVERY_MS).unref()
  return {
    get full() {
      return full
    },
    stop() {
      clearInterval(timer)
    },
  }
}
