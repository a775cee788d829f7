import { HOT_ROWS, IS_VISIBLE, readCatalog, readGeneration } from '../cold/catalog.ts'
import type { Catalog } from '../cold/catalog.ts'
import type { DuckConnection, DuckStatement } from '../duckdb.ts'
import { newestSeq } from '../hot/newest-seq.ts'
import type { Sqlite } from '../sqlite.ts'
import type { Day } from '../time.ts'
import { formatDay } from '../time.ts'

/**
 * The visible hot rows as a DuckDB table, `hot(seq, day, user_id, event_type, properties, occurred_at_us, event_id)`, because DuckDB's SQLite
 * extension is a download that cannot be relied on. The table is always the state of one SQLite snapshot: the rows up to its newest seq, less those that its catalog
 * has sealed. Not safe for concurrent calls: the engine makes them one after another.
 */
export interface Mirror {
  /** Brings the table to a new snapshot and returns the catalog of the same snapshot. */
  catchUp(): Promise<Catalog>
  /** The seq up to which it is whole. */
  readonly through: number
  readonly rows: number
}

/** Rows a page. A snapshot held for long keeps SQLite's log from being reused, so a long tail is read in several. */
const PAGE_ROWS = 20_000
/** Rows a page where so many have more properties than {@link PAGE_BYTES}: they are one text then, and a text has its limits. */
const WIDE_PAGE_ROWS = 1_000
const PAGE_BYTES = 32 * 1024 * 1024
/** With more dead rows than live ones, and at least this many, the table is written anew: DuckDB does not reuse their memory. */
const DEAD_ROWS_MIN = 50_000

/**
 * The columns of a page, each as one text with a NUL between two values, which no value holds. SQLite joins and DuckDB splits them in native code;
 * a call for every value of every row takes three times as long.
 */
const COLUMNS = ['seq', 'day', 'user_id', 'event_type', 'properties', 'occurred_at', 'hex(event_id)'] as const

/** How far the next rows go. */
interface Extent {
  /** Null where there are none. */
  last: number | null
  bytes: number
}

interface Page {
  /** The seq of its last row, visible or not. */
  last: number
  /** Visible ones. */
  rows: number
  texts: string[]
}

const INSERT = `INSERT INTO hot
  SELECT v1::BIGINT, DATE '1970-01-01' + v2::INTEGER, v3, v4, v5, v6::BIGINT, v7::UUID
  FROM (SELECT ${COLUMNS.map((_, i) => `unnest(string_split($${i + 1}, chr(0))) AS v${i + 1}`).join(', ')})`

export async function openMirror(db: Sqlite, connection: DuckConnection): Promise<Mirror> {
  const measure = db.prepare(
    `SELECT max(seq) AS last, sum(octet_length(properties)) AS bytes
     FROM (SELECT seq, properties FROM events WHERE seq > ? ORDER BY seq LIMIT ?)`,
  )
  const joinUp = db
    .prepare(
      `SELECT count(*), ${COLUMNS.map((column) => `group_concat(${column}, char(0))`).join(', ')}
       FROM ${HOT_ROWS} WHERE e.seq > ? AND e.seq <= ? AND ${IS_VISIBLE}`,
    )
    .raw()
  const newest = newestSeq(db)
  let insert: DuckStatement
  let catalog: Catalog
  let sealed: Map<Day, number>
  let through: number
  let live_rows: number
  let dead_rows: number
  /** A step failed half-way: the table may hold rows twice, or rows that are sealed. */
  let torn = false

  async function beginAnew(): Promise<void> {
    await connection.run(
      `CREATE OR REPLACE TABLE hot (seq BIGINT, day DATE, user_id VARCHAR, event_type VARCHAR, properties VARCHAR,
         occurred_at_us BIGINT, event_id UUID)`,
    )
    insert = await connection.prepare(INSERT)
    catalog = { generation: -1, files: [], days: [], segments: [] }
    sealed = new Map()
    through = 0
    live_rows = 0
    dead_rows = 0
  }

  function nextPage(): Page | null {
    let { last, bytes } = measure.get(through, PAGE_ROWS) as Extent
    if (bytes > PAGE_BYTES) ({ last } = measure.get(through, WIDE_PAGE_ROWS) as Extent)
    if (last === null) return null
    const [rows, ...texts] = joinUp.get(through, last) as [number, ...string[]]
    return { last, rows, texts }
  }

  /** Reads one page in a transaction of its own, with the catalog if that has changed. */
  const readPage = db.transaction(() => ({
    changed: readGeneration(db) === catalog.generation ? null : readCatalog(db),
    page: nextPage(),
  }))

  async function takeCatalog(changed: Catalog): Promise<void> {
    const before = sealed
    sealed = new Map(changed.days.map(({ day, sealed_through }) => [day, sealed_through]))
    for (const [day, seq] of sealed) {
      if (seq <= (before.get(day) ?? 0)) continue
      const result = await connection.run(`DELETE FROM hot WHERE day = $1::DATE AND seq <= $2::BIGINT`, [
        formatDay(day),
        seq,
      ])
      live_rows -= result.rowsChanged
      dead_rows += result.rowsChanged
    }
    catalog = changed
    if (dead_rows < DEAD_ROWS_MIN || dead_rows < live_rows) return
    await connection.run('CREATE OR REPLACE TABLE hot AS SELECT * FROM hot')
    dead_rows = 0
  }

  async function append({ rows, texts, last }: Page): Promise<void> {
    if (rows > 0) {
      for (const [i, text] of texts.entries()) insert.bindVarchar(i + 1, text)
      const { rowsChanged } = await insert.run()
      // A statement keeps what was bound to it.
      insert.clearBindings()
      if (rowsChanged !== rows) throw new Error(`${rows} hot rows were split into ${rowsChanged}`)
      live_rows += rows
    }
    through = last
  }

  async function advance(): Promise<Catalog> {
    // What is committed by now. Writers may be faster than a page, and nobody asked for what comes later.
    const target = newest()
    for (;;) {
      const { page, changed } = readPage()
      if (changed !== null) await takeCatalog(changed)
      if (page !== null) await append(page)
      if (page === null || through >= target) {
        // The newest rows may have gone to cold already, and been collected.
        through = Math.max(through, target)
        return catalog
      }
      // Let interrupts and new questions in between two pages.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
  }

  await beginAnew()
  return {
    get through() {
      return through
    },
    get rows() {
      return live_rows
    },
    async catchUp() {
      if (torn) await beginAnew()
      torn = true
      const taken = await advance()
      torn = false
      return taken
    },
  }
}
