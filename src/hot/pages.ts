import type { Day } from '../event/time.ts'
import { HOT_ROWS, IS_VISIBLE } from '../store/catalog.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * A page of hot rows to copy into DuckDB, whose SQLite extension cannot be assumed because it is a download.
 * Each column is one string with NUL between values; no value contains NUL. SQLite joins and DuckDB splits
 * the strings in native code. Appending value by value takes three times as long.
 */
export interface Page<Name extends string> {
  /** The highest seq that was scanned, visible or not. */
  last: number
  /** Rows in the page. */
  rows: number
  texts: Readonly<Record<Name, string>>
}

/** How SQLite writes a value as text, and how DuckDB reads it. */
const COLUMNS = {
  seq: { write: 'seq', type: 'BIGINT', read: 'seq::BIGINT' },
  day: { write: 'day', type: 'DATE', read: `DATE '1970-01-01' + day::INTEGER` },
  user_id: { write: 'user_id', type: 'VARCHAR', read: 'user_id' },
  event_type: { write: 'event_type', type: 'VARCHAR', read: 'event_type' },
  properties: { write: 'properties', type: 'VARCHAR', read: 'properties' },
  occurred_at_us: { write: 'occurred_at', type: 'BIGINT', read: 'occurred_at_us::BIGINT' },
  event_id: { write: 'hex(event_id)', type: 'UUID', read: 'event_id::UUID' },
} as const

export type Column = keyof typeof COLUMNS

/** A long read transaction keeps SQLite from reusing the WAL, so rows are read in several pages. */
const PAGE_ROWS = 20_000
/**
 * Used if {@link PAGE_ROWS} rows have more than {@link PAGE_BYTES} of properties:
 * a string's length is limited.
 */
const WIDE_PAGE_ROWS = 1_000
const PAGE_BYTES = 32 * 1024 * 1024

/** The seq range and size of the next page. */
interface Extent {
  /** Null if there are no more rows. */
  last: number | null
  /** Of properties. */
  bytes: number
}

/** A range of seqs. */
export interface Range {
  /** Exclusive. */
  after: number
  /** Inclusive; no limit if omitted. */
  through?: number
}

/**
 * Prepares reading rows in seq order.
 * @param day reads all rows of this day, so the range must start after `sealed_through`; if omitted, reads
 * the visible rows of all days
 * @returns a function that reads the next page, or null if there are no more rows
 */
export function openPages<C extends Column>(
  db: Sqlite,
  columns: readonly C[],
  day?: Day,
): (range: Range) => Page<C> | null {
  const wanted =
    day === undefined
      ? { from: HOT_ROWS, is_near: 'true', is_one: IS_VISIBLE }
      : { from: 'events AS e', is_near: `e.day = ${day}`, is_one: `e.day = ${day}` }
  const measure = db.prepare(
    `SELECT max(seq) AS last, sum(octet_length(properties)) AS bytes
     FROM (SELECT seq, properties FROM events AS e WHERE ${wanted.is_near} AND seq > @after AND seq <= @through ORDER BY seq LIMIT @limit)`,
  )
  // One upper bound only: of two, SQLite uses one for the index search and may scan past the other.
  const joinUp = db.prepare(
    `SELECT count(*) AS rows, ${columns.map((name) => `group_concat(${COLUMNS[name].write}, char(0)) AS ${name}`).join(', ')}
     FROM ${wanted.from} WHERE e.seq > @after AND e.seq <= @last AND ${wanted.is_one}`,
  )
  return ({ after, through = Number.MAX_SAFE_INTEGER }) => {
    let { last, bytes } = measure.get({ after, through, limit: PAGE_ROWS }) as Extent
    if (bytes > PAGE_BYTES) ({ last } = measure.get({ after, through, limit: WIDE_PAGE_ROWS }) as Extent)
    if (last === null) return null
    const { rows, ...texts } = joinUp.get({ after, last }) as { rows: number } & Record<C, string>
    return { last, rows, texts: texts as Record<C, string> }
  }
}

/**
 * Creates an empty DuckDB table with these columns, replacing one of the same name.
 * @returns a function that appends a page; it throws if DuckDB splits the page into a different number of
 * rows
 */
export async function openCopy<C extends Column>(
  connection: DuckConnection,
  table: string,
  columns: readonly C[],
): Promise<(page: Page<C>) => Promise<void>> {
  await connection.run(
    `CREATE OR REPLACE TABLE ${table} (${columns.map((name) => `${name} ${COLUMNS[name].type}`).join(', ')})`,
  )
  const insert = await connection.prepare(
    `INSERT INTO ${table} SELECT ${columns.map((name) => COLUMNS[name].read).join(', ')}
     FROM (SELECT ${columns.map((name, i) => `unnest(string_split($${i + 1}, chr(0))) AS ${name}`).join(', ')})`,
  )
  return async ({ rows, texts }) => {
    if (rows === 0) return
    for (const [i, name] of columns.entries()) insert.bindVarchar(i + 1, texts[name])
    const { rowsChanged } = await insert.run()
    // Otherwise the statement would keep the strings in memory.
    insert.clearBindings()
    if (rowsChanged !== rows) throw new Error(`${rows} hot rows were split into ${rowsChanged}`)
  }
}
