import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import papaparse from 'papaparse'
import { CSV_COLUMNS, REJECT_COLUMNS } from '../event/csv-header.ts'
import type { ColdDisk } from '../store/disk.ts'

/** The rejects file `<file>.rejected.csv`: rejected rows with line and reason. */
export interface Rejects {
  readonly path: string
  readonly count: number
  /** Whether the file exists, from an earlier import or after {@link finish}. */
  exists(): boolean
  add(line: number, reason: string, fields: readonly string[]): void
  /** Drops all rows added so far. */
  reset(): void
  /**
   * Moves the file to its path durably, or deletes the file of an earlier import if no row was rejected.
   * Call it before the import is committed, so that every row is either imported or listed. Returns the
   * path, or null.
   */
  finish(): string | null
  /** Deletes an unfinished file. */
  discard(): void
}

/** Characters buffered before a write. */
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
    // Not writeSync: on a full disk it may write only a part, without an error.
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
        // Not `disk.remove`: it would delete a folder of that name with its contents.
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
