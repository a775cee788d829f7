import { eventOfFields } from '../event/csv-event.ts'
import { RECORD_BYTES_MAX } from '../event/csv-scanner.ts'
import { parseExactJson } from '../event/json.ts'
import type { Judge } from '../event/judge.ts'
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
 * The fast CSV reader. DuckDB reads the file on all cores and accepts the rows that are certainly valid. The SQL conditions are
 * stricter than the schema; the schema validates every row that they do not accept. If DuckDB may have split the file into other
 * rows than the careful reader would, its result is discarded: every byte of the file must be accounted for.
 */

/** Result of {@link readFast} if the careful reader must read the file. */
export const NEEDS_CARE = Symbol('needs the careful reader')

/** Limit of the fields of one row, in bytes. It is far below the limit of a record, so an overlong record cannot pass as a row. */
const ROW_FIELDS_BYTES_MAX = RECORD_BYTES_MAX / 4

/**
 * Stages the valid rows of a file and adds the others to `rejects`.
 * @param now_us the time by which `judge` decides
 * @returns the number of rows; or NEEDS_CARE, and then no row was appended to `judged` or `rejects`
 */
export async function readFast(
  { connection, parquet }: Staging,
  path: string,
  header: FileHeader,
  judge: Judge,
  now_us: Micros,
  rejects: Rejects,
): Promise<number | typeof NEEDS_CARE> {
  // The SQL supports neither extra columns nor numeric times.
  const { extra, position, time_format } = header
  if (extra.size > 0 || position.properties_json === -1 || time_format !== null) return NEEDS_CARE
  // This thread counts while DuckDB reads on its own threads.
  const counting = countBytes(path, header.bytes)
  // It may fail before it is awaited below. Its rejection must not count as unhandled.
  counting.catch(() => {})
  try {
    await connection.run(
      `COPY (${stageSql(path, header, now_us)}) TO ${sqlText(parquet)} (FORMAT parquet, COMPRESSION zstd)`,
    )
  } catch (error) {
    await counting
    // DuckDB's messages: "CSV Error on Line …", "The CSV Parser state machine reached an invalid state", "Maximum line size …"
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
  // The quotes are counted in the file, because they may enclose a field or be doubled inside it.
  const separators = (header.count - 1) * rows
  const line_ends = counts.newlines + counts.returns - newlines
  if (bytes - quotes + counts.quotes + separators + line_ends !== counts.bytes) return NEEDS_CARE
  if (again === 0) return rows
  // If the file has blank lines, the line of a row cannot be computed from its number.
  if (counts.newlines - newlines > rows) return NEEDS_CARE
  await connection.run(`INSERT INTO doubtful SELECT file_row_number FROM ${all} WHERE event_id IS NULL`)
  if (unsure > 0) await doubtProperties(connection, all, unsure)
  await judgeDoubtful(connection, all, judge, rejects)
  return rows
}

/** Doubtful rows read at a time. */
const PAGE_ROWS = 10_000

/** Validates the doubtful rows with the schema. Rejected ones are reported with their line. */
async function judgeDoubtful(
  connection: DuckConnection,
  all: string,
  judge: Judge,
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
        const verdict = 'value' in read ? judge(read.value) : read
        if ('event' in verdict) appender.add(verdict.event, record)
        else rejects.add(line, verdict.error.message, fields)
      }
    }
  } finally {
    appender.close()
  }
}

/** Runs a query that returns one row. @returns its values as numbers; NULL is 0 */
async function numbersOf(connection: DuckConnection, sql: string): Promise<number[]> {
  const reader = await connection.runAndReadAll(sql)
  return reader.getRows()[0]!.map(Number)
}
