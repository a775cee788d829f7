import { closeSync, existsSync, fchmodSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { writeCsvRow } from '../event/csv-row.ts'
import { REJECT_COLUMNS } from '../event/csv-header.ts'
import type { ColdDisk } from '../store/disk.ts'

/** The rejects file `<file>.rejected.csv`: rejected rows or lines, each with its line number and reason. */
export interface Rejects {
  readonly path: string
  /** Rows added so far. */
  readonly count: number
  /** Whether the file exists, from an earlier import or after {@link finish}. */
  exists(): boolean
  /** @param line physical line of the row, from 1 */
  add(line: number, reason: string, fields: readonly string[]): void
  /**
   * Moves the file to its path durably, or deletes the file of an earlier import if no row was rejected.
   * Call it before the import is committed, so that every row is either imported or listed.
   * @returns the path; null if no row was rejected
   */
  finish(): string | null
  /** Deletes the file if it is not finished. */
  discard(): void
}

/** Characters buffered before a write. */
const BUFFER_CHARS = 1 << 20

/**
 * Prepares the rejects file. It is created when the first rows are written.
 * @param columns names of the fields of a row
 * @param beside path of the imported file
 * @param mode permissions of the imported file. The rejects file gets the same, because it has the same data
 */
export function openRejects(
  columns: readonly string[],
  beside: string,
  mode: number,
  disk: ColdDisk,
): Rejects {
  const path = `${beside}.rejected.csv`
  const unfinished = `${path}.tmp`
  let fd: number | null = null
  let buffer = ''
  let count = 0

  function write(fields: readonly string[]): void {
    buffer += writeCsvRow(fields, '\n')
    if (buffer.length >= BUFFER_CHARS) flush()
  }
  function flush(): void {
    fd ??= openNew(unfinished, mode)
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
      if (count === 0) write([...REJECT_COLUMNS, ...columns])
      count += 1
      write([String(line), reason, ...fields])
    },
    finish() {
      if (count === 0) {
        // Not `disk.remove`: if the path is a folder, it would delete the folder with its contents.
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

/** Creates a file. It never writes through a symbolic link at that path. */
function openNew(path: string, mode: number): number {
  rmSync(path, { force: true })
  const fd = openSync(path, 'wx', mode)
  fchmodSync(fd, mode)
  return fd
}
