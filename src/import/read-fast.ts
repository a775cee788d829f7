import { createReadStream } from 'node:fs'
import { judgeFields } from '../event/csv-event.ts'
import { CSV_COLUMNS } from '../event/csv-header.ts'
import type { Header } from '../event/csv-header.ts'
import {
  AHEAD_OF_NOW_MAX_US,
  EVENT_TYPE_CHARS_MAX,
  PROPERTIES_BYTES_MAX,
  PROPERTIES_DEPTH_MAX,
  USER_ID_CHARS_MAX,
} from '../event/event.ts'
import type { EventSchema } from '../event/event.ts'
import type { Micros } from '../event/time.ts'
import { sqlText } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Rejects } from './rejects.ts'
import { appendJudged, queryNumber } from './staging.ts'
import type { Staging } from './staging.ts'

/**
 * The fast way through a CSV file: DuckDB reads it on all cores and accepts what is certainly valid. Its conditions are narrower than the
 * schema's on purpose; every row they do not accept is judged by the schema itself. A file that DuckDB finds malformed anywhere is not read
 * this way at all.
 */

/** The file needs the careful way. */
export const NEEDS_CARE = Symbol('needs the careful reader')

// One row may hold 32 KiB of properties with every character escaped, and not much more.
const LINE_BYTES_MAX = 1 << 20
// With 32 hexadecimal digits, which only the cast makes sure of.
const UUID_FORM = '________-____-____-____-____________'
const TIME_FORM =
  '\\d{4}-\\d{2}-\\d{2}[T ]([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-](0\\d|1[0-4]):[0-5]\\d)?'
// Most properties are one object without another in it, and this one look at them answers all questions. Nothing that JSON.stringify would write otherwise:
// no escapes, no blanks but those after a colon or comma, no number with more than 15 digits, an exponent or a zero at its end.
const FLAT_STRING = '"[^"\\\\\\x00-\\x1f\\x{FFFD}]*"'
const FLAT_NUMBER = '0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,9})\\.[0-9]{0,4}[1-9]'
const FLAT_MEMBER = `${FLAT_STRING}: ?(?:${FLAT_STRING}|${FLAT_NUMBER}|true|false|null)`
const FLAT_OBJECT = `\\{(?:${FLAT_MEMBER}(?:, ?${FLAT_MEMBER})*)?\\}`

// Where a JSON value can begin: a number with an exponent, which may lie beyond a double, or the NaN and Infinity that DuckDB lets through.
const ODD_NUMBER = '[:,\\[]-?([0-9.]+[eE]|[iI]|[nN][aA])'

// DuckDB also lets a comma stand before the closing bracket.
const TRAILING_COMMA = ',\\s*[\\]}]'

/** Stages the file. @returns the number of rows, or NEEDS_CARE with nothing judged or rejected */
export async function readFast(
  { connection, parquet }: Staging,
  path: string,
  header: Header,
  schema: EventSchema,
  now_us: Micros,
  rejects: Rejects,
): Promise<number | typeof NEEDS_CARE> {
  try {
    await connection.run(
      `COPY (${stageSql(path, header, now_us)}) TO ${sqlText(parquet)} (FORMAT parquet, COMPRESSION zstd)`,
    )
  } catch (error) {
    // "CSV Error on Line …", "The CSV Parser state machine reached an invalid state", "Maximum line size …"
    if (error instanceof Error && /csv|line size/i.test(error.message)) return NEEDS_CARE
    throw error
  }
  const all = `read_parquet(${sqlText(parquet)}, file_row_number = true)`
  const rows = await queryNumber(connection, `SELECT count(*) FROM ${all}`)
  const doubtful = await queryNumber(connection, `SELECT count(raw) FROM ${all}`)
  if (doubtful === 0) return rows
  const embedded = await queryNumber(connection, `SELECT sum(newlines) FROM ${all}`)
  // With blank lines or bare carriage returns, counting rows does not count lines.
  if ((await countLines(path)) !== 1 + rows + embedded) return NEEDS_CARE
  await setDoubtfulAside(connection, all)
  await judgeDoubtful(connection, schema, rejects, doubtful)
  return rows
}

function stageSql(path: string, header: Header, now_us: Micros): string {
  const columns = header.columns.map((name) => `${sqlText(name)}: 'VARCHAR'`).join(', ')
  // A null string that no text file holds: an empty field is an empty text, never null.
  const csv = `read_csv(${sqlText(path)}, header = true, delim = ',', quote = '"', escape = '"', auto_detect = false,
    strict_mode = true, null_padding = false, nullstr = '\\x00\\x01', max_line_size = ${LINE_BYTES_MAX}, columns = {${columns}})`
  const newlines = (names: readonly string[]) =>
    names
      .map((name) => `CASE WHEN contains(${name}, chr(10)) THEN ${count(name, 'chr(10)')} ELSE 0 END`)
      .join(' + ')
  // Brackets bound the depth from above. Most objects are flat, and CASE counts only in those that are not.
  const depth = `CASE WHEN contains(substr(json_text, 2), '{') OR contains(json_text, '[')
    THEN ${count('json_text', "'{'")} + ${count('json_text', "'['")} ELSE 1 END`
  return `
    SELECT CASE WHEN good THEN id END AS event_id, CASE WHEN good THEN at_time END AS occurred_at,
      CASE WHEN good THEN user_id END AS user_id, CASE WHEN good THEN event_type END AS event_type,
      CASE WHEN good THEN json_text END AS properties,
      CASE WHEN good AND flat THEN ${newlines(['user_id', 'event_type'])} ELSE ${newlines(CSV_COLUMNS)} END AS newlines,
      CASE WHEN good THEN NULL ELSE [${CSV_COLUMNS.join(', ')}] END AS raw
    FROM (
      SELECT *, coalesce(id IS NOT NULL
        AND event_id LIKE ${sqlText(UUID_FORM)}
        AND regexp_full_match(occurred_at, ${sqlText(TIME_FORM)})
        AND epoch_us(at_time) BETWEEN 0 AND ${now_us + AHEAD_OF_NOW_MAX_US}
        AND length(user_id) BETWEEN 1 AND ${USER_ID_CHARS_MAX} AND ${clean('user_id')}
        AND length(event_type) BETWEEN 1 AND ${EVENT_TYPE_CHARS_MAX} AND ${clean('event_type')}
        AND json_text IS NOT NULL AND strlen(json_text) <= ${PROPERTIES_BYTES_MAX}
        AND CASE WHEN flat OR properties_json = '' THEN true
          ELSE starts_with(json_text, '{') AND ${clean('properties_json')}
            AND ${depth} <= ${PROPERTIES_DEPTH_MAX}
            AND NOT regexp_matches(json_text, ${sqlText(ODD_NUMBER)})
            AND NOT regexp_matches(properties_json, ${sqlText(TRAILING_COMMA)}) END, false) AS good
      FROM (
        SELECT *, try_cast(event_id AS UUID) AS id, try_cast(occurred_at AS TIMESTAMPTZ) AS at_time,
          CASE WHEN properties_json = '' THEN '{}' WHEN flat AND NOT contains(properties_json, ' ') THEN properties_json
            ELSE TRY(json(properties_json)) END AS json_text
        FROM (
          SELECT ${CSV_COLUMNS.join(', ')}, regexp_full_match(properties_json, ${sqlText(FLAT_OBJECT)}) AS flat
          FROM ${csv}
        )
      )
    )`
}

/** Without NUL, and the character that stands for what could not be decoded. */
function clean(field: string): string {
  return `NOT contains(${field}, chr(0)) AND NOT contains(${field}, chr(65533))`
}

function count(field: string, character: string): string {
  return `strlen(${field}) - strlen(replace(${field}, ${character}, ''))`
}

/** Rows handed to the schema at a time. */
const PAGE_ROWS = 10_000

/** Sets the rows aside that were not certainly valid, each with its line. */
async function setDoubtfulAside(connection: DuckConnection, all: string): Promise<void> {
  await connection.run(
    `CREATE TEMP TABLE doubtful AS
     SELECT record, line, raw FROM (
       SELECT file_row_number AS record, raw,
         2 + file_row_number + coalesce(sum(newlines) OVER (ORDER BY file_row_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS line
       FROM ${all})
     WHERE raw IS NOT NULL`,
  )
}

/** Lets the schema judge them. */
async function judgeDoubtful(
  connection: DuckConnection,
  schema: EventSchema,
  rejects: Rejects,
  doubtful: number,
): Promise<void> {
  const appender = await appendJudged(connection)
  try {
    for (let done = 0; done < doubtful; done += PAGE_ROWS) {
      const page = await connection.runAndReadAll(
        `SELECT record::DOUBLE, line::DOUBLE, raw[1], raw[2], raw[3], raw[4], raw[5] FROM doubtful ORDER BY record LIMIT ${PAGE_ROWS} OFFSET ${done}`,
      )
      for (const row of page.getRows()) {
        const [record, line, ...fields] = row as [number, number, string, string, string, string, string]
        const [event_id, occurred_at, user_id, event_type, properties_json] = fields
        const verdict = judgeFields(schema, { event_id, occurred_at, user_id, event_type, properties_json })
        if ('event' in verdict) appender.add(verdict.event, record)
        else rejects.add(line, verdict.error.message, fields)
      }
    }
  } finally {
    appender.close()
  }
}

async function countLines(path: string): Promise<number> {
  let newlines = 0
  let last = 0x0a
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) newlines += 1
    last = chunk.at(-1)!
  }
  return last === 0x0a ? newlines : newlines + 1
}
