import { DuckDBDateValue } from '@duckdb/node-api'
import { readCatalog, readGeneration } from '../cold/catalog.ts'
import type { Catalog } from '../cold/catalog.ts'
import type { DuckConnection } from '../duckdb.ts'
import type { Sqlite } from '../sqlite.ts'
import type { Day, Micros } from '../time.ts'
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
/** With more dead rows than live ones, and at least this many, the table is written anew: DuckDB does not reuse their memory. */
const DEAD_ROWS_MIN = 50_000

type Row = [
  seq: number,
  day: Day,
  user_id: string,
  event_type: string,
  properties: string,
  occurred_at: Micros,
  event_id: Buffer,
]

export async function openMirror(db: Sqlite, connection: DuckConnection): Promise<Mirror> {
  const page = db
    .prepare(
      `SELECT seq, day, user_id, event_type, properties, occurred_at, event_id FROM events WHERE seq > ? ORDER BY seq LIMIT ${PAGE_ROWS}`,
    )
    .raw()
  const newest = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).pluck()
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
    catalog = { generation: -1, files: [], days: [], segments: [] }
    sealed = new Map()
    through = 0
    live_rows = 0
    dead_rows = 0
  }

  /** Reads one page in a transaction of its own, with the catalog if that has changed. */
  const readPage = db.transaction((): { rows: Row[]; changed: Catalog | null } => ({
    changed: readGeneration(db) === catalog.generation ? null : readCatalog(db),
    rows: page.all(through) as Row[],
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

  async function append(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    const dates = new Map<Day, DuckDBDateValue>()
    const appender = await connection.createAppender('hot')
    try {
      for (const [seq, day, user_id, event_type, properties, occurred_at, event_id] of rows) {
        if (seq <= (sealed.get(day) ?? 0)) continue
        let date = dates.get(day)
        if (date === undefined) dates.set(day, (date = new DuckDBDateValue(day)))
        appender.appendBigInt(BigInt(seq))
        appender.appendDate(date)
        appender.appendVarchar(user_id)
        appender.appendVarchar(event_type)
        appender.appendVarchar(properties)
        // DuckDB casts both to their columns' types. A BigInt for each would take twice as long.
        appender.appendDouble(occurred_at)
        appender.appendBlob(event_id)
        appender.endRow()
        live_rows += 1
      }
    } finally {
      // Also after a failure: an appender that is only forgotten writes its rows when it is collected.
      appender.closeSync()
    }
    through = rows.at(-1)![0]
  }

  async function advance(): Promise<Catalog> {
    // What is committed by now. Writers may be faster than a page, and nobody asked for what comes later.
    const target = (newest.get() as number | undefined) ?? 0
    for (;;) {
      const { rows, changed } = readPage()
      if (changed !== null) await takeCatalog(changed)
      await append(rows)
      if (rows.length < PAGE_ROWS || through >= target) {
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
