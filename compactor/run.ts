import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { placeSegment, tidyIndex } from '../src/cold/id-index.ts'
import { groupDays, placeFiles, stageDays } from '../src/cold/parquet.ts'
import type { DayRows } from '../src/cold/parquet.ts'
import { collectSealedRows, daysToCollect, sweepFiles } from '../src/cold/sweep.ts'
import { IdDigest } from '../src/event/id.ts'
import { formatDay, MICROS_PER_DAY } from '../src/event/time.ts'
import type { Day, Micros } from '../src/event/time.ts'
import { openCopy, openPages } from '../src/hot/pages.ts'
import { failpoint } from '../src/process/failpoint.ts'
import type { Logger } from '../src/process/log.ts'
import { fillSets, filesWithoutSets } from '../src/sets/fill.ts'
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
  report.collected_rows += await collectSealedRows(db, daysToCollect(db))

  const steps = planCompaction(readDayStates(db), deps.now_us(), deps.hot_days)
  failpoint('compaction.planned')
  await withDuck(deps, async (connect) => {
    for (const group of groupDays(steps)) {
      if (deps.signal.aborted) return
      const connection = await connect()
      const open = group.filter(({ seal }) => seal).map(({ day }) => day)
      if (open.length > 0) {
        const sealed = await sealDays(deps, connection, open)
        report.rows += sealed.reduce((n, { rows }) => n + rows, 0)
        report.files += sealed.length
        report.collected_rows += await collectSealedRows(db, open)
        for (const { day, rows } of sealed) log.info({ day: formatDay(day), rows }, 'day sealed')
      }
      for (const { day, merge } of group) {
        if (!merge) continue
        if (deps.signal.aborted) return
        const files = await mergeDay(deps, connection, day)
        report.merged_files += files
        report.files += 1
        log.info({ day: formatDay(day), files }, 'files merged')
      }
      report.days += group.length
    }
    const index = await tidyIndex({ db, layout, disk, connect })
    for (const files of groupDays(filesWithoutSets(db))) {
      if (deps.signal.aborted) return
      await fillSets(db, layout, await connect(), files)
    }
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
      // The days and their newest rows by one index lookup each; counting reads the index of the day.
      `WITH RECURSIVE hot_days (day) AS (
         SELECT min(day) FROM events
         UNION ALL SELECT (SELECT min(day) FROM events WHERE day > d.day) FROM hot_days AS d WHERE d.day IS NOT NULL
       ), hot AS (
         SELECT day, (SELECT max(seq) FROM events AS e WHERE e.day = d.day) AS newest_seq,
           (SELECT count(*) FROM events AS e WHERE e.day = d.day) AS rows FROM hot_days AS d WHERE day IS NOT NULL
       ), cold AS (SELECT day, count(*) AS cold_files FROM cold_files GROUP BY day)
       SELECT day, coalesce(rows, 0) AS rows, coalesce(newest_seq, 0) AS newest_seq, coalesce(sealed_through, 0) AS sealed_through,
              coalesce(cold_files, 0) AS cold_files
       FROM hot FULL JOIN cold USING (day) LEFT JOIN cold_days USING (day)`,
    )
    .all() as DayState[]
}

/** Moves the visible hot rows of some days into new cold files, in one transaction. */
async function sealDays(
  deps: CompactionDeps,
  connection: DuckConnection,
  days: readonly Day[],
): Promise<DayRows[]> {
  const { db, layout, disk } = deps
  const newest = db.prepare('SELECT max(seq) FROM events WHERE day = ?').pluck()
  const seal = days.map((day) => ({ day, sealed_through: newest.get(day) as number }))
  try {
    const copied = await copyHotRows(deps, connection, seal)
    failpoint('compaction.copied')
    const staged = await stageDays(
      connection,
      db,
      disk,
      layout,
      copied,
      `SELECT event_id, make_timestamptz(occurred_at_us) AS occurred_at, user_id, event_type, properties,
         (occurred_at_us // ${MICROS_PER_DAY})::INTEGER AS day FROM sealing`,
      'compaction',
    )
    const segment = await placeSegment(disk, layout, staged.ids!, 'compaction')
    await placeFiles(disk, layout, staged)
    publish(db, 'compaction', {
      add: staged.files.map(({ file }) => file),
      sets: staged.sets,
      remove: [],
      seal,
      segments: { add: [segment], remove: [] },
      at_us: deps.now_us(),
    })
    return copied
  } finally {
    // Frees its memory for the next days.
    await connection.run('DROP TABLE IF EXISTS sealing')
  }
}

const COLUMNS = ['event_id', 'occurred_at_us', 'user_id', 'event_type', 'properties'] as const

/** Copies the visible rows of days, each up to a seq, from SQLite to DuckDB. Returns their number and the digest of their ids. */
async function copyHotRows(
  { db, threads }: CompactionDeps,
  connection: DuckConnection,
  days: readonly { day: Day; sealed_through: number }[],
): Promise<DayRows[]> {
  const append = await openCopy(connection, 'sealing', COLUMNS)
  // With a second thread DuckDB takes a fifth longer per page,
  // and the core is needed for reading the next page.
  await connection.run('SET threads = 1')
  const sealed = db.prepare('SELECT sealed_through FROM cold_days WHERE day = ?').pluck()
  const counted: DayRows[] = []
  let copied: Promise<void> = Promise.resolve()
  try {
    for (const { day, sealed_through: through } of days) {
      const nextPage = openPages(db, COLUMNS, day)
      const digest = new IdDigest()
      let after = (sealed.get(day) as number | undefined) ?? 0
      for (let page = nextPage({ after, through }); page !== null; page = nextPage({ after, through })) {
        // Reads a page from SQLite while DuckDB inserts the previous one.
        await copied
        copied = append(page)
        digest.addBytes(Buffer.from(page.texts.event_id.replaceAll('\0', ''), 'hex'))
        after = page.last
      }
      counted.push({ day, rows: digest.count, id_digest: digest.toString() })
    }
  } finally {
    await copied
    await connection.run(`SET threads = ${threads}`)
  }
  return counted
}

/** Rewrites all files of a day as one. Returns the number of files replaced. */
async function mergeDay(deps: CompactionDeps, connection: DuckConnection, day: Day): Promise<number> {
  const { db, layout, disk } = deps
  const files = db.prepare('SELECT * FROM cold_files WHERE day = ? ORDER BY path').all(day) as ColdFile[]
  const expected = new IdDigest()
  for (const file of files) expected.addDigest(file.id_digest, file.rows)
  const paths = files.map((file) => join(layout.cold, file.path))
  const staged = await stageDays(
    connection,
    db,
    disk,
    layout,
    [{ day, rows: expected.count, id_digest: expected.toString() }],
    `SELECT * FROM ${readParquetSql(paths)}`,
    'merge',
  )
  await placeFiles(disk, layout, staged)
  publish(db, 'merge', {
    add: staged.files.map(({ file }) => file),
    sets: staged.sets,
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
