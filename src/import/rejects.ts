import { closeSync, existsSync, fchmodSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { writeCsvRow } from '../event/csv-row.ts'
import { REJECT_COLUMNS } from '../event/csv-header.ts'
import type { ColdDisk } from '../store/disk.ts'

/** The rejects file `<file>.rejected.csv`: rejected rows or lines, each with its line number and reason. */
export interface Rejects {
  readonly path: string
  readonly count: number
  /** Whether the file exists, from an earlier import or after {@link finish}. */
  exists(): boolean
  add(line: number, reason: string, fields: readonly string[]): void
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

/**
 * @param columns of the fields of a row
 * @param beside path of the file whose rows they are
 * @param mode of that file: whoever may not read it may not read its rows here
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
      if (count === 0) write([...REJECT_COLUMNS, ...columns])
      count += 1
      write([String(line), reason, ...fields])
    },
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

/** Never through a link that somebody has put there. */
function openNew(path: string, mode: number): number {
  rmSync(path, { force: true })
  const fd = openSync(path, 'wx', mode)
  fchmodSync(fd, mode)
  return fd
}
