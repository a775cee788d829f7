import { closeSync, openSync, readSync } from 'node:fs'
import { readHeader } from '../event/csv-header.ts'
import type { Header, HeaderOptions } from '../event/csv-header.ts'
import { CsvScanner, DELIMITERS, RECORD_BYTES_MAX } from '../event/csv-scanner.ts'
import type { CsvRecord, Delimiter } from '../event/csv-scanner.ts'

/** The header of a file, and what it says of the rest. */
export interface FileHeader extends Header {
  delimiter: Delimiter
  /** Of the header's record, its line end and what stands before it included. */
  bytes: number
}

/** The file as a whole cannot be imported. One line for the person who named it. */
export class ImportFileError extends Error {
  override name = 'ImportFileError'
}

/**
 * Reads the header. The delimiter is the one with which all columns are found.
 * @param name of the file, for people
 * @throws {ImportFileError} when the file is empty, or no CSV, or has other columns
 */
export function readFileHeader(path: string, name: string, options: HeaderOptions): FileHeader {
  const start = readStart(path)
  if (/^\uFEFF?\s*[{[]/.test(start.toString('utf8', 0, 64)))
    throw new ImportFileError(`${name} is JSON and not CSV; say its --format`)
  let fault = 'is empty'
  for (const delimiter of DELIMITERS) {
    const record = firstRecord(start, delimiter)
    if (record === null) break
    const header = record.fault === null ? readHeader(record.fields, options) : { fault: record.fault }
    if (!('fault' in header)) return { ...header, delimiter, bytes: record.through }
    // What is said of the file is what commas show, unless they show one column and another delimiter more.
    if (delimiter === ',' || (fault.startsWith('has one column') && record.count > 1)) fault = header.fault
  }
  throw new ImportFileError(`${name} ${fault}`)
}

function firstRecord(start: Buffer, delimiter: Delimiter): CsvRecord | null {
  let first: CsvRecord | null = null
  new CsvScanner(delimiter).push(start, true, (record) => {
    first ??= record
  })
  return first
}

/** A header is no longer than a row may be. */
function readStart(path: string): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(RECORD_BYTES_MAX)
    return bytes.subarray(0, readSync(fd, bytes))
  } finally {
    closeSync(fd)
  }
}
