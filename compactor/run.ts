import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { placeSegment, tidyIndex } from '../src/cold/id-index.ts'
import { placeFiles, stageDay } from '../src/cold/parquet.ts'
import { collectSealedRows, daysToCollect, sweepFiles } from '../src/cold/sweep.ts'
import { IdDigest } from '../src/event/id.ts'
import { formatDay } from '../src/event/time.ts'
import type { Day, Micros } from '../src/event/time.ts'
import { openCopy, openPages } from '../src/hot/pages.ts'
import { failpoint } from '../src/process/failpoint.ts'
import type { Logger } from '../src/process/log.ts'
import { applyChange } from '../src/store/catalog.ts'
import type { CatalogChange, ColdFile } from '../src/store/catalog.ts'
import type { ColdDisk } from '../src/store/disk.ts'
import { openDuck, readParquetSql } from '../src/store/duckdb.ts'
import type { Duck, DuckConnection } from '../src/store/duckdb.ts'
import type { Layout } from '../src/store/layout.ts'
import type { Sqlite } from '../src/store/sqlite.ts'
import { planCompaction } from './plan.ts'
import type { DayState } from './plan.ts'

/** A compaction run: moves closed days from hot to cold, and merges cold files. */

export interface CompactionDeps {
  db: Sqlite
  layout: Layout
  disk: ColdDisk
  log: Logger
  now_us: () => Micros
  /** Whole days after its end until a day closes. */
  hot_days: number
  /** How long replaced files are kept for running queries. */
  grace_s: number
  /** Limit for DuckDB. */
  memory_mb: number
  /** For DuckDB. */
  threads: number
  /** Stops the run after the current step. The next run continues. */
  signal: AbortSignal
}

export interface CompactionReport {
  days: number
  rows: number
  files: number
  merged_files: number
  collected_rows: number
  removed_files: number
  took_ms: number
}

/** Runs one compaction. The caller holds the cold lock. */
export async function runCompaction(deps: CompactionDeps): Promise<CompactionReport> {
  const { db, layout, disk, log } = deps
  const started = performance.now()
  const report = { days: 0, rows: 0, files: 0, merged_files: 0, collected_rows: 0 }
  const swept = sweepFiles(db, disk, layout, deps.now_us(), deps.grace_s)
  for (const day of daysToCollect(db)) report.collected_rows += await collectSealedRows(db, day)

  const steps = planCompaction(readDayStates(db), deps.now_us(), deps.hot_days)
  failpoint('compaction.planned')
  await withDuck(deps, async (connect) => {
    for (const { day, seal, merge } of steps) {
      if (deps.signal.aborted) return
      const connection = await connect()
      if (seal) {
        const rows = await sealDay(deps, connection, day)
        report.rows += rows
        report.files += 1
        report.collected_rows += await collectSealedRows(db, day)
        log.info({ day: formatDay(day), rows }, 'day sealed')
      }
      if (merge) {
        const files = await mergeDay(deps, connection, day)
        report.merged_files += files
        report.files += 1
        log.info({ day: formatDay(day), files }, 'files merged')
      }
      report.days += 1
    }
    const index = await tidyIndex({ db, layout, disk, connect })
    if (index === 'rebuilt') log.warn('the index of cold ids was incomplete or damaged and was rebuilt')
  })
  const again = sweepFiles(db, disk, layout, deps.now_us(), deps.grace_s)
  const removed_files = [swept, again].reduce(
    (n, s) => n + s.staging_removed + s.orphans_removed + s.replaced_removed,
    0,
  )
  return { ...report, removed_files, took_ms: Math.round(performance.now() - started) }
}

/** Opens DuckDB on first use, because most runs have nothing to do. */
async function withDuck(
  { layout, disk, threads, memory_mb }: CompactionDeps,
  act: (connect: () => Promise<DuckConnection>) => Promise<void>,
): Promise<void> {
  const spill = join(layout.staging, randomUUID())
  let duck: Duck | undefined
  let connection: DuckConnection | undefined
  try {
    await act(async () => {
      duck ??= await openDuck({ threads, memory_mb, spill })
      return (connection ??= await duck.connect())
    })
  } finally {
    connection?.closeSync()
    duck?.close()
    disk.remove(spill)
  }
}

function readDayStates(db: Sqlite): DayState[] {
  return db
    .prepare(
      // One index lookup per day, independent of the number of rows.
      `WITH RECURSIVE hot_days (day) AS (
         SELECT min(day) FROM events
         UNION ALL SELECT (SELECT min(day) FROM events WHERE day > d.day) FROM hot_days AS d WHERE d.day IS NOT NULL
       ), hot AS (
         SELECT day, (SELECT max(seq) FROM events AS e WHERE e.day = d.day) AS newest_seq FROM hot_days AS d WHERE day IS NOT NULL
       ), cold AS (SELECT day, count(*) AS cold_files FROM cold_files GROUP BY day)
       SELECT day, coalesce(newest_seq, 0) AS newest_seq, coalesce(sealed_through, 0) AS sealed_through,
              coalesce(cold_files, 0) AS cold_files
       FROM hot FULL JOIN cold USING (day) LEFT JOIN cold_days USING (day)`,
    )
    .all() as DayState[]
}

/** Moves a day's visible hot rows into a new cold file. Returns the number of rows. */
async function sealDay(deps: CompactionDeps, connection: DuckConnection, day: Day): Promise<number> {
  const { db, layout, disk } = deps
  const through = db.prepare('SELECT max(seq) FROM events WHERE day = ?').pluck().get(day) as number
  try {
    const digest = await copyHotRows(deps, connection, day, through)
    failpoint('compaction.copied')
    const staged = await stageDay(
      connection,
      disk,
      layout,
      day,
      `SELECT event_id, make_timestamptz(occurred_at_us) AS occurred_at, user_id, event_type, properties FROM sealing`,
      { rows: digest.count, id_digest: digest.toString() },
      'compaction',
    )
    const segment = await placeSegment(disk, layout, staged.ids!, 'compaction')
    placeFiles(disk, layout, [staged])
    publish(db, 'compaction', {
      add: [staged.file],
      remove: [],
      seal: [{ day, sealed_through: through }],
      segments: { add: [segment], remove: [] },
      at_us: deps.now_us(),
    })
    return digest.count
  } finally {
    // Frees its memory for the next day.
    await connection.run('DROP TABLE IF EXISTS sealing')
  }
}

const COLUMNS = ['event_id', 'occurred_at_us', 'user_id', 'event_type', 'properties'] as const

/** Copies the day's visible rows up to a seq from SQLite to DuckDB. Returns the digest of their ids. */
async function copyHotRows(
  { db, threads }: CompactionDeps,
  connection: DuckConnection,
  day: Day,
  through: number,
): Promise<IdDigest> {
  const nextPage = openPages(db, COLUMNS, day)
  const append = await openCopy(connection, 'sealing', COLUMNS)
  // With a second thread DuckDB takes a fifth longer per page,
  // and the core is needed for reading the next page.
  await connection.run('SET threads = 1')
  const sealed = db.prepare('SELECT sealed_through FROM cold_days WHERE day = ?').pluck().get(day)
  const digest = new IdDigest()
  let after = (sealed as number | undefined) ?? 0
  let copied: Promise<void> = Promise.resolve()
  try {
    for (let page = nextPage({ after, through }); page !== null; page = nextPage({ after, through })) {
      // Reads a page from SQLite while DuckDB inserts the previous one.
      await copied
      copied = append(page)
      digest.addBytes(Buffer.from(page.texts.event_id.replaceAll('\0', ''), 'hex'))
      after = page.last
    }
  } finally {
    await copied
    await connection.run(`SET threads = ${threads}`)
  }
  return digest
}

/** Rewrites all files of a day as one. Returns the number of files replaced. */
async function mergeDay(deps: CompactionDeps, connection: DuckConnection, day: Day): Promise<number> {
  const { db, layout, disk } = deps
  const files = db.prepare('SELECT * FROM cold_files WHERE day = ? ORDER BY path').all(day) as ColdFile[]
  const expected = new IdDigest()
  for (const file of files) expected.addDigest(file.id_digest, file.rows)
  const paths = files.map((file) => join(layout.cold, file.path))
  const staged = await stageDay(
    connection,
    disk,
    layout,
    day,
    `SELECT * FROM ${readParquetSql(paths)}`,
    { rows: expected.count, id_digest: expected.toString() },
    'merge',
  )
  placeFiles(disk, layout, [staged])
  publish(db, 'merge', {
    add: [staged.file],
    remove: files.map((file) => file.path),
    seal: [],
    at_us: deps.now_us(),
  })
  return files.length
}

/** The commit point: the whole change becomes visible at once. */
function publish(db: Sqlite, origin: 'compaction' | 'merge', change: CatalogChange): void {
  db.transaction(() => {
    applyChange(db, change)
    failpoint(`${origin}.applied`)
  }).immediate()
  failpoint(`${origin}.committed`)
}
