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
 * A copy of the visible hot rows in a DuckDB table,
 * `hot(seq, day, user_id, event_type, properties, occurred_at_us, event_id)`. After a catch-up the
 * table is the state of one SQLite snapshot: the rows up to its newest `seq`, without those sealed
 * in its catalog. Not safe for concurrent calls; the engine serializes them.
 */
export interface Mirror {
  /** Updates the table to a new snapshot and returns the catalog of that snapshot. */
  catchUp(): Promise<Catalog>
  /** The table is complete up to this `seq`. */
  readonly through: number
  readonly rows: number
}

/**
 * With at least this many deleted rows, and no fewer than live ones, the table is rewritten: DuckDB
 * does not reuse their memory.
 */
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
  /** A catch-up failed or is running: the table may hold duplicate or sealed rows. */
  let torn = false

  async function reset(): Promise<void> {
    append = await openCopy(connection, 'hot', COLUMNS)
    catalog = { generation: -1, files: [], days: [], segments: [] }
    sealed = new Map()
    through = 0
    live_rows = 0
    dead_rows = 0
  }

  /** Reads one page, and the catalog if it has changed, in one transaction. */
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
    // Stops at what is committed now: writers may be faster than this loop.
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
        // The newest rows may already have been moved to cold and deleted from hot.
        through = Math.max(through, target)
        return catalog
      }
      // Lets the thread receive cancellations and new questions between two pages.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
  }

  await reset()
  return {
    get through() {
      return through
    },
    get rows() {
      return live_rows
    },
    async catchUp() {
      if (torn) await reset()
      torn = true
      const taken = await advance()
      torn = false
      return taken
    },
  }
}
