import { createReadStream } from 'node:fs'
import papaparse from 'papaparse'
import { judgeFields } from '../event/csv-event.ts'
import { CSV_COLUMNS, CsvFileError } from '../event/csv-header.ts'
import type { Header } from '../event/csv-header.ts'
import { countFault, fieldsOf, quoteFault } from '../event/csv-row.ts'
import type { EventSchema } from '../event/event.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Rejects } from './rejects.ts'
import { appendJudged } from './staging.ts'

/** The careful way through a CSV file: papaparse, row by row, so that a malformed row is one rejected row with its line. */

/** A row longer than this is a quote that nobody closed; without a limit the rest of the file would be held in memory. */
export const ROW_BYTES_MAX = 8 * 1024 * 1024

/** Judges every row. @returns the number of rows */
export async function readCareful(
  connection: DuckConnection,
  path: string,
  header: Header,
  schema: EventSchema,
  rejects: Rejects,
): Promise<number> {
  const appender = await appendJudged(connection)
  let rows = 0
  let line = 1

  function take(row: string[], fault: string | undefined): void {
    const at_line = line
    line += 1 + row.reduce((n, field) => n + newlinesIn(field), 0)
    // The header, or a blank line.
    if (at_line === 1 || (row.length === 1 && row[0] === '')) return
    const record = rows
    rows += 1
    const reason = fault ?? countFault(row.length, header.columns.length)
    if (reason !== undefined) {
      rejects.add(at_line, reason, row)
      return
    }
    const fields = fieldsOf(row, header)
    const verdict = judgeFields(schema, fields)
    if ('event' in verdict) appender.add(verdict.event, record)
    else
      rejects.add(
        at_line,
        verdict.error.message,
        CSV_COLUMNS.map((name) => fields[name]),
      )
  }

  try {
    await new Promise<void>((resolve, reject) => {
      const input = createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 20 })
      let read_at_last_row = 0
      input.on('data', () => {
        if (input.bytesRead - read_at_last_row <= ROW_BYTES_MAX) return
        input.destroy()
        reject(
          new CsvFileError(
            `${path} line ${line}: a row does not end within ${ROW_BYTES_MAX} bytes; is a quote not closed?`,
          ),
        )
      })
      papaparse.parse<string[]>(input, {
        delimiter: ',',
        step({ data, errors }, parser) {
          try {
            read_at_last_row = input.bytesRead
            take(data, quoteFault(errors))
          } catch (error) {
            parser.abort()
            reject(error as Error)
          }
        },
        complete: () => resolve(),
        error: reject,
      })
    })
  } finally {
    appender.close()
  }
  return rows
}

function newlinesIn(field: string): number {
  let count = 0
  for (let at = field.indexOf('\n'); at !== -1; at = field.indexOf('\n', at + 1)) count += 1
  return count
}
