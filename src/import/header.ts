import { closeSync, openSync, readSync } from 'node:fs'
import { readHeader } from '../event/csv-header.ts'
import type { Header, HeaderOptions } from '../event/csv-header.ts'
import { CsvScanner, DELIMITERS, RECORD_BYTES_MAX } from '../event/csv-scanner.ts'
import type { CsvRecord, Delimiter } from '../event/csv-scanner.ts'

/** The header of a CSV file. */
export interface FileHeader extends Header {
  delimiter: Delimiter
  /** Bytes from the start of the file through the line end of the header. */
  bytes: number
}

/** The file as a whole cannot be imported. The message is one line for the user. */
export class ImportFileError extends Error {
  override name = 'ImportFileError'
}

/**
 * Reads the header. The delimiter is the first one with which all columns are found.
 * @param name file name, for messages
 * @throws {ImportFileError} if the file is empty or not CSV, or has missing, duplicate or unknown columns
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
    // Report the fault found with commas. If commas give one column, report that of a delimiter that gives more.
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

/** The start of the file. The limit of a record is also the limit of a header. */
function readStart(path: string): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(RECORD_BYTES_MAX)
    return bytes.subarray(0, readSync(fd, bytes))
  } finally {
    closeSync(fd)
  }
}
