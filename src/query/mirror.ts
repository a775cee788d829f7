import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { newestSeq } from '../hot/newest-seq.ts'
import { openCopy, openPages } from '../hot/pages.ts'
import type { Column, Page } from '../hot/pages.ts'
import { readCatalog, readGeneration } from '../store/catalog.ts'
import type { Catalog } from '../store/catalog.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Sqlite } from '../store/sqlite.ts'

/**
 * The visible hot rows as a DuckDB table, `hot(seq, day, user_id, event_type, properties, occurred_at_us, event_id)`. The table is always the state of one SQLite snapshot: the rows up to its newest seq, less those that its catalog
 * has sealed. Not safe for concurrent calls: the engine makes them one after another.
 */
export interface Mirror {
  /** Brings the table to a new snapshot and returns the catalog of the same snapshot. */
  catchUp(): Promise<Catalog>
  /** The seq up to which it is whole. */
  readonly through: number
  readonly rows: number
}

/** With more dead rows than live ones, and at least this many, the table is written anew: DuckDB does not reuse their memory. */
const DEAD_ROWS_MIN = 50_000

const COLUMNS = ['seq', 'day', 'user_id', 'event_type', 'properties', 'occurred_at_us', 'event_id'] as const

export async function openMirror(db: Sqlite, connection: DuckConnection): Promise<Mirror> {
  const nextPage = openPages(db, COLUMNS)
  const newest = newestSeq(db)
  let append: (page: Page<Column>) => Promise<void>
  let catalog: Catalog
  let sealed: Map<Day, number>
  let through: number
  let live_rows: number
  let dead_rows: number
  /** A step failed half-way: the table may hold rows twice, or rows that are sealed. */
  let torn = false

  async function beginAnew(): Promise<void> {
    append = await openCopy(connection, 'hot', COLUMNS)
    catalog = { generation: -1, files: [], days: [], segments: [] }
    sealed = new Map()
    through = 0
    live_rows = 0
    dead_rows = 0
  }

  /** Reads one page in a transaction of its own, with the catalog if that has changed. */
  const readPage = db.transaction(() => ({
    changed: readGeneration(db) === catalog.generation ? null : readCatalog(db),
    page: nextPage({ after: through }),
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

  async function advance(): Promise<Catalog> {
    // What is committed by now. Writers may be faster than a page, and nobody asked for what comes later.
    const target = newest()
    for (;;) {
      const { page, changed } = readPage()
      if (changed !== null) await takeCatalog(changed)
      if (page !== null) {
        await append(page)
        live_rows += page.rows
        through = page.last
      }
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
