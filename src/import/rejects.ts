import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import papaparse from 'papaparse'
import { CSV_COLUMNS, REJECT_COLUMNS } from '../event/csv-header.ts'
import type { ColdDisk } from '../store/disk.ts'

/** The rows that were not imported, each with its line and the reason, in `<file>.rejected.csv`. */
export interface Rejects {
  readonly path: string
  readonly count: number
  /** Whether there is a list, of an earlier import unless this one is finished. */
  exists(): boolean
  add(line: number, reason: string, fields: readonly string[]): void
  /** Forgets everything added so far. */
  reset(): void
  /**
   * Puts the file in place for good; without rejected rows it deletes the one of an earlier run. To be called before the import is
   * committed: a row must never be neither imported nor told. Returns its path, or null.
   */
  finish(): string | null
  /** Deletes what was not finished. */
  discard(): void
}

/** Written in pieces of about this size. */
const BUFFER_CHARS = 1 << 20

export function openRejects(csv_path: string, disk: ColdDisk): Rejects {
  const path = `${csv_path}.rejected.csv`
  const unfinished = `${path}.tmp`
  let fd: number | null = null
  let buffer = ''
  let count = 0

  function write(fields: readonly string[]): void {
    buffer += `${papaparse.unparse([fields as string[]])}\n`
    if (buffer.length >= BUFFER_CHARS) flush()
  }
  function flush(): void {
    fd ??= openSync(unfinished, 'w')
    // writeSync would stop, without an error, in the middle of a line where the disk becomes full.
    writeFileSync(fd, buffer)
    buffer = ''
  }
  function discard(): void {
    if (fd !== null) {
      closeSync(fd)
      rmSync(unfinished, { force: true })
    }
    fd = null
    buffer = ''
    count = 0
  }

  return {
    path,
    exists: () => existsSync(path),
    get count() {
      return count
    },
    add(line, reason, fields) {
      if (count === 0) write([...REJECT_COLUMNS, ...CSV_COLUMNS])
      count += 1
      write([String(line), reason, ...fields])
    },
    reset: discard,
    finish() {
      if (count === 0) {
        // Not the disk's `remove`: it would take a folder of that name with all that is in it.
        rmSync(path, { force: true })
        return null
      }
      flush()
      disk.sync(unfinished)
      disk.rename(unfinished, path)
      closeSync(fd!)
      fd = null
      disk.sync(dirname(path))
      return path
    },
    discard,
  }
}
