import { CSV_COLUMNS } from '../event/csv-header.ts'
import { RECORD_BYTES_MAX } from '../event/csv-scanner.ts'
import {
  AHEAD_OF_NOW_MAX_US,
  EVENT_TYPE_CHARS_MAX,
  NULL_TEXTS,
  PROPERTIES_BYTES_MAX,
  USER_ID_CHARS_MAX,
} from '../event/event.ts'
import type { Micros } from '../event/time.ts'
import { readCsvSql, sqlText } from '../store/duckdb.ts'
import type { FileHeader } from './header.ts'

// The pattern checks the hyphens; the cast to UUID checks the 32 hexadecimal digits.
const UUID_FORM = '________-____-____-____-____________'
const TIME_FORM =
  '\\d{4}-\\d{2}-\\d{2}[T ]([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-](0\\d|1[0-4]):[0-5]\\d)?'
// Matches a flat object that JSON.stringify would write in the same way, except for a space after a colon or comma: no escapes, no key that
// begins with a digit (JavaScript moves integer keys to the front), no number with more than 15 digits, an exponent or a trailing zero
// after the point. Most properties are such objects; they need only one more check, for duplicate keys.
const FLAT_KEY = '"(?:[^"\\\\\\x00-\\x1f0-9][^"\\\\\\x00-\\x1f]*)?"'
const FLAT_STRING = '"[^"\\\\\\x00-\\x1f]*"'
const FLAT_NUMBER = '0|-?[1-9][0-9]{0,14}|-?(?:0|[1-9][0-9]{0,9})\\.[0-9]{0,4}[1-9]'
const FLAT_MEMBER = `${FLAT_KEY}: ?(?:${FLAT_STRING}|${FLAT_NUMBER}|true|false|null)`
const FLAT_OBJECT = `\\{(?:${FLAT_MEMBER}(?:, ?${FLAT_MEMBER})*)?\\}`

/**
 * SQL that reads a CSV file and decides for each row whether it is certainly valid. Its columns:
 * - the event, or NULLs if the row is not accepted;
 * - `bytes`, `quotes` and `newlines`: byte counts over all fields of the row;
 * - `raw`: the five fields of a row that must be checked again, because it was not accepted or the schema may write its properties
 *   differently; otherwise NULL.
 */
export function stageSql(path: string, header: FileHeader, now_us: Micros): string {
  const names = Array.from({ length: header.count }, (_, n) => `c${n}`)
  const columns = names.map((name) => `${name}: 'VARCHAR'`).join(', ')
  // No text file contains this `nullstr`, so an empty field is read as '' and never as NULL.
  const csv = readCsvSql(
    path,
    `header = true, delim = ${sqlText(header.delimiter)}, quote = '"', escape = '"', auto_detect = false, strict_mode = true,
     null_padding = false, nullstr = '\\x00\\x01', max_line_size = ${RECORD_BYTES_MAX}, columns = {${columns}}`,
  )
  const ours = CSV_COLUMNS.map((name) => `c${header.position[name]} AS ${name}`).join(', ')
  const sum = (of: (name: string) => string) => names.map(of).join(' + ')
  return `
    SELECT CASE WHEN good THEN id END AS event_id, CASE WHEN good THEN at_time END AS occurred_at,
      CASE WHEN good THEN user_id END AS user_id, CASE WHEN good THEN event_type END AS event_type,
      CASE WHEN good THEN json_text END AS properties,
      bytes, quotes, newlines,
      CASE WHEN good AND sure THEN NULL ELSE [${CSV_COLUMNS.join(', ')}] END AS raw
    FROM (
      SELECT *, coalesce(id IS NOT NULL
        AND event_id LIKE ${sqlText(UUID_FORM)}
        AND regexp_full_match(occurred_at, ${sqlText(TIME_FORM)})
        AND epoch_us(at_time) BETWEEN 0 AND ${now_us + AHEAD_OF_NOW_MAX_US}
        AND length(user_id) <= ${USER_ID_CHARS_MAX} AND ${isName('user_id')}
        AND length(event_type) <= ${EVENT_TYPE_CHARS_MAX} AND ${isName('event_type')}
        AND json_text IS NOT NULL AND strlen(json_text) <= ${PROPERTIES_BYTES_MAX}, false) AS good
      FROM (
        SELECT *, try_cast(event_id AS UUID) AS id, try_cast(occurred_at AS TIMESTAMPTZ) AS at_time,
          CASE WHEN properties_json = '' THEN '{}'
            WHEN sure AND NOT contains(properties_json, ' ') THEN properties_json
            WHEN starts_with(properties_json, '{') THEN TRY(json(properties_json)) END AS json_text
        FROM (
          SELECT *, CASE WHEN properties_json = '' THEN true WHEN NOT flat THEN false
            WHEN contains(properties_json, ',') THEN NOT (${hasKeyTwice('properties_json')}) ELSE true END AS sure
          FROM (
            SELECT *, regexp_full_match(properties_json, ${sqlText(FLAT_OBJECT)}) AS flat
            FROM (
            SELECT ${ours}, ${sum((name) => `strlen(${name})`)} AS bytes, ${sum((name) => countSql(name, `'"'`))} AS quotes,
              ${sum((name) => countSql(name, 'chr(10)'))} AS newlines
              FROM ${csv}
            )
          )
        )
      )
    )`
}

/** SQL: the field has a visible ASCII character, so it is not blank; it is not an exported NULL and has no NUL character. */
function isName(field: string): string {
  const nulls = NULL_TEXTS.map(sqlText).join(', ')
  return `regexp_matches(${field}, '[!-~]') AND ${field} NOT IN (${nulls}) AND NOT contains(${field}, chr(0))`
}

/** SQL: the object has duplicate keys. */
function hasKeyTwice(json: string): string {
  return `len(json_keys(${json})) > len(list_distinct(json_keys(${json})))`
}

/** SQL: the number of times a one-byte character occurs in a field. */
function countSql(field: string, character: string): string {
  return `CASE WHEN contains(${field}, ${character}) THEN strlen(${field}) - strlen(replace(${field}, ${character}, '')) ELSE 0 END`
}
