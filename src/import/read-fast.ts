import { eventOfFields } from '../event/csv-event.ts'
import { RECORD_BYTES_MAX } from '../event/csv-scanner.ts'
import { judgeEvent } from '../event/event.ts'
import type { EventSchema } from '../event/event.ts'
import { parseExactJson } from '../event/json.ts'
import type { Micros } from '../event/time.ts'
import { readParquetSql, sqlText } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import { countBytes, isPlain } from './census.ts'
import { doubtProperties } from './doubt.ts'
import type { FileHeader } from './header.ts'
import type { Rejects } from './rejects.ts'
import { stageSql } from './stage-sql.ts'
import { appendJudged } from './staging.ts'
import type { Staging } from './staging.ts'

/**
 * The fast way through a CSV file: DuckDB reads it on all cores and accepts what is certainly valid. Its conditions are narrower
 * than the schema's on purpose; every row that they do not accept is validated by the schema itself. A file that DuckDB splits in
 * another way than the careful reader would is not read this way at all: every byte of it has to be accounted for.
 */

/** The file must be read by the careful reader. */
export const NEEDS_CARE = Symbol('needs the careful reader')

/** Far below the limit of a row, so that no row that is too long comes through. In bytes of its fields. */
const ROW_FIELDS_BYTES_MAX = RECORD_BYTES_MAX / 4

/** Stages the file. @returns the number of rows, or NEEDS_CARE with nothing judged or rejected */
export async function readFast(
  { connection, parquet }: Staging,
  path: string,
  header: FileHeader,
  schema: EventSchema,
  now_us: Micros,
  rejects: Rejects,
): Promise<number | typeof NEEDS_CARE> {
  // What becomes of other columns and other times is not said in SQL.
  const { extra, position, time_format } = header
  if (extra.size > 0 || position.properties_json === -1 || time_format !== null) return NEEDS_CARE
  // On this thread, while DuckDB reads on its own.
  const counting = countBytes(path, header.bytes)
  // It is awaited below, and may fail before.
  counting.catch(() => {})
  try {
    await connection.run(
      `COPY (${stageSql(path, header, now_us)}) TO ${sqlText(parquet)} (FORMAT parquet, COMPRESSION zstd)`,
    )
  } catch (error) {
    await counting
    // "CSV Error on Line …", "The CSV Parser state machine reached an invalid state", "Maximum line size …"
    if (error instanceof Error && /csv|line size/i.test(error.message)) return NEEDS_CARE
    throw error
  }
  const counts = await counting
  const all = readParquetSql([parquet], 'file_row_number = true')
  const sums = await numbersOf(
    connection,
    `SELECT count(*), count(raw), count(raw) FILTER (event_id IS NOT NULL), sum(bytes), max(bytes), sum(quotes), sum(newlines)
     FROM ${all}`,
  )
  const [rows, again, unsure, bytes, longest, quotes, newlines] = sums as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (!isPlain(counts) || longest > ROW_FIELDS_BYTES_MAX) return NEEDS_CARE
  // A quote within a field stands in the file twice, or once and then there are none around the field.
  const separators = (header.count - 1) * rows
  const line_ends = counts.newlines + counts.returns - newlines
  if (bytes - quotes + counts.quotes + separators + line_ends !== counts.bytes) return NEEDS_CARE
  if (again === 0) return rows
  // With blank lines, counting rows does not count lines.
  if (counts.newlines - newlines > rows) return NEEDS_CARE
  await connection.run(`INSERT INTO doubtful SELECT file_row_number FROM ${all} WHERE event_id IS NULL`)
  if (unsure > 0) await doubtProperties(connection, all, unsure)
  await judgeDoubtful(connection, all, schema, rejects)
  return rows
}

/** Rows per page that the schema validates. */
const PAGE_ROWS = 10_000

/** Validates the doubtful rows with the schema, each with its line. */
async function judgeDoubtful(
  connection: DuckConnection,
  all: string,
  schema: EventSchema,
  rejects: Rejects,
): Promise<void> {
  await connection.run(
    `CREATE TEMP TABLE set_aside AS
     SELECT record, line, raw FROM (
       SELECT file_row_number AS record, raw,
         2 + file_row_number + coalesce(sum(newlines) OVER (ORDER BY file_row_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS line
       FROM ${all}) SEMI JOIN doubtful USING (record)`,
  )
  const [count] = (await numbersOf(connection, 'SELECT count(*) FROM set_aside')) as [number]
  const appender = await appendJudged(connection)
  try {
    for (let done = 0; done < count; done += PAGE_ROWS) {
      const page = await connection.runAndReadAll(
        `SELECT record::DOUBLE, line::DOUBLE, raw[1], raw[2], raw[3], raw[4], raw[5]
         FROM set_aside ORDER BY record LIMIT ${PAGE_ROWS} OFFSET ${done}`,
      )
      for (const row of page.getRows()) {
        const [record, line, ...fields] = row as [number, number, string, string, string, string, string]
        const [event_id, occurred_at, user_id, event_type, properties_json] = fields
        const named = { event_id, occurred_at, user_id, event_type, properties_json }
        const read = eventOfFields(named, parseExactJson)
        const verdict = 'value' in read ? judgeEvent(schema, read.value) : read
        if ('event' in verdict) appender.add(verdict.event, record)
        else rejects.add(line, verdict.error.message, fields)
      }
    }
  } finally {
    appender.close()
  }
}

/** The only row of a query, as numbers; 0 for NULL. */
async function numbersOf(connection: DuckConnection, sql: string): Promise<number[]> {
  const reader = await connection.runAndReadAll(sql)
  return reader.getRows()[0]!.map(Number)
}
