import type { Day } from '../event/time.ts'
import { HOT_ROWS, IS_VISIBLE } from '../store/catalog.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * Hot rows on their way into DuckDB, whose SQLite extension is a download that cannot be relied on. Each column of a page is one text, with a NUL between
 * two values, which no value holds: SQLite joins and DuckDB splits them in native code. A call for every value of every row takes three times as long.
 */
export interface Page<Name extends string> {
  /** The seq of its last row, visible or not. */
  last: number
  /** Those in it. */
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

/** Rows a page. A snapshot held for long keeps SQLite's log from being reused, so a long tail is read in several. */
const PAGE_ROWS = 20_000
/** Rows a page where so many have more properties than {@link PAGE_BYTES}: they are one text then, and a text has its limits. */
const WIDE_PAGE_ROWS = 1_000
const PAGE_BYTES = 32 * 1024 * 1024

/** How far the next rows go. */
interface Extent {
  /** Null where there are none. */
  last: number | null
  bytes: number
}

/** Which rows, visible or not. */
export interface Range {
  /** Behind this seq. */
  after: number
  /** Up to this seq; if not given, all. */
  through?: number
}

/**
 * Prepares reading rows in the order of their seqs.
 * @param day all rows of this day, so the caller begins behind what is sealed; if not given, the visible rows of all days
 * @returns reads the next page, or null where there are no rows
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
  // With one upper bound: of two SQLite takes one for the search, and may read on to the other.
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
 * Makes an empty table with these columns, in place of one that has its name.
 * @returns appends a page to it. It throws if the page was split into another number of rows
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
    // A statement keeps what was bound to it.
    insert.clearBindings()
    if (rowsChanged !== rows) throw new Error(`${rows} hot rows were split into ${rowsChanged}`)
  }
}
