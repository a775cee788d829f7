import { closeSync, openSync, readSync, statSync } from 'node:fs'
import papaparse from 'papaparse'

/** The columns of an import file, by name and in any order. */
export const CSV_COLUMNS = ['event_id', 'occurred_at', 'user_id', 'event_type', 'properties_json'] as const
export type CsvColumn = (typeof CSV_COLUMNS)[number]

/**
 * Extra columns of a rejects file.
 * Imports ignore them, so a corrected rejects file can be imported as it is.
 */
export const REJECT_COLUMNS = ['line', 'reason'] as const

/** The whole file cannot be imported. The message is one line for the user. */
export class CsvFileError extends Error {
  override name = 'CsvFileError'
}

/** Far more than the header needs. */
const HEADER_BYTES_MAX = 64 * 1024

export interface Header {
  /** Column names in file order. */
  columns: readonly string[]
  /** Index of each event column in `columns`. */
  position: Readonly<Record<CsvColumn, number>>
}

/**
 * Reads the header of an import file.
 * @throws {CsvFileError} if the file is missing, unreadable, empty or not CSV, or its columns are wrong
 */
export function readHeader(path: string): Header {
  const text = readStart(path)
  if (text.trim() === '') throw new CsvFileError(`${path} is empty`)
  if (text.includes('\0')) throw new CsvFileError(`${path} is not a CSV file; it must begin with ${EXPECTED}`)
  const columns = papaparse.parse<string[]>(text, { delimiter: ',', preview: 1 }).data[0] ?? []
  const fault = columnsFault(columns)
  if (fault !== null) throw new CsvFileError(`${path} ${fault}`)
  return { columns, position: positionsOf(columns) }
}

const EXPECTED = `a header with the columns ${CSV_COLUMNS.join(', ')}`

/** Says what is wrong with the columns of a header; null if they are valid. */
export function columnsFault(columns: readonly string[]): string | null {
  const missing = CSV_COLUMNS.filter((name) => !columns.includes(name))
  if (missing.length > 0) {
    return `lacks the columns ${missing.join(', ')}; it must begin with ${EXPECTED}`
  }
  const other = columns.filter(
    (name, i) =>
      columns.indexOf(name) !== i || ![...CSV_COLUMNS, ...REJECT_COLUMNS].some((known) => known === name),
  )
  if (other.length === 0) return null
  return `has ${other.length} unknown or duplicate columns; it must begin with ${EXPECTED}`
}

/** Index of each event column. The header must have passed {@link columnsFault}. */
export function positionsOf(columns: readonly string[]): Header['position'] {
  return Object.fromEntries(CSV_COLUMNS.map((name) => [name, columns.indexOf(name)])) as Header['position']
}

function readStart(path: string): string {
  try {
    if (!statSync(path).isFile()) throw new CsvFileError(`${path} is not a file`)
    const fd = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(HEADER_BYTES_MAX)
      return new TextDecoder().decode(bytes.subarray(0, readSync(fd, bytes)))
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new CsvFileError(`${path} does not exist`, { cause: error })
    if (code === 'EACCES')
      throw new CsvFileError(`${path} cannot be read: permission denied`, { cause: error })
    throw error
  }
}
