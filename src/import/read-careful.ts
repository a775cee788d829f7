import { eventOfRecord, fieldsOf } from '../event/csv-event.ts'
import { CSV_COLUMNS } from '../event/csv-header.ts'
import { CsvScanner } from '../event/csv-scanner.ts'
import type { CsvRecord } from '../event/csv-scanner.ts'
import { parseExactJson } from '../event/json.ts'
import type { Judge } from '../event/judge.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { FileHeader } from './header.ts'
import { forEachPiece } from './pieces.ts'
import type { Rejects } from './rejects.ts'
import { appendJudged } from './staging.ts'

/**
 * The careful CSV reader. It reads row by row, so an unreadable row is rejected with its line number and the others are stored.
 * Valid rows are staged, all others are added to `rejects`.
 * @returns the number of rows without the header
 */
export async function readCareful(
  connection: DuckConnection,
  path: string,
  header: FileHeader,
  judge: Judge,
  rejects: Rejects,
): Promise<number> {
  const appender = await appendJudged(connection)
  const scanner = new CsvScanner(header.delimiter)
  let records = 0

  function take(record: CsvRecord): void {
    records += 1
    // The first record is the header.
    if (records === 1) return
    const result = eventOfRecord(record, header, parseExactJson)
    const verdict = 'value' in result ? judge(result.value) : result
    if ('event' in verdict) appender.add(verdict.event, records - 2)
    else rejects.add(record.line, verdict.error.message, rejectedFields(record, header))
  }

  try {
    await forEachPiece(path, (piece, last) => scanner.push(piece, last, take))
  } finally {
    appender.close()
  }
  return records - 1
}

/** The fields in the order of {@link CSV_COLUMNS}; or as they are if the row is unreadable or their number is wrong. */
function rejectedFields(record: CsvRecord, header: FileHeader): readonly string[] {
  if (record.fault !== null || record.count !== header.count) return record.fields
  const fields = fieldsOf(record.fields, header)
  return CSV_COLUMNS.map((name) => fields[name])
}
