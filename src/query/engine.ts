import { ColdFileError, createFileCheck } from '../cold/file-check.ts'
import { formatDay } from '../event/time.ts'
import type { Asked, Days, Row } from '../questions/parts/asked.ts'
import { questionNamed } from '../questions/table.ts'
import { ALL_EVENTS } from '../sets/coding.ts'
import { openSets, SetError } from '../sets/read.ts'
import { readGeneration } from '../store/catalog.ts'
import type { Catalog, ColdFile } from '../store/catalog.ts'
import { openDuck } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { readTiers } from '../store/tiers.ts'
import type { Tiers } from '../store/tiers.ts'
import { EVENTS_BYTES_MAX, pageOf } from './events.ts'
import type { EventsPage, EventRow } from './events.ts'
import { openHotDays } from './hot-days.ts'
import type { HotDays } from './hot-days.ts'
import { openMirror } from './mirror.ts'
import { checkPatterns, PatternError } from './patterns.ts'
import { isCountable, planDayGroups, planEvents, planPlaces, planQuery, planUserDays } from './plan.ts'
import type { QueryPlan, UserDaysPlan } from './plan.ts'
import type { EventsQuestion, Position } from './question.ts'
import { unitedDays } from './user-days.ts'

/** Runs questions on DuckDB, in the query thread. */

export interface Reading {
  rows: Row[]
  hot_events: number
  cold_events: number
  cold_files: number
  /** Whether events were read, or only the sets of the days. */
  answered_from: 'sets' | 'events'
}

/** How a question would be answered now. */
export interface Explained {
  answered_from: Reading['answered_from']
  /** The UTC days that are looked at. */
  from: string
  to: string
  cold_files: number
  cold_events: number
  /** What DuckDB runs, with `$1` … for values; null if only sets are used. */
  sql: string | null
}

export interface Engine {
  ask(asked: Asked, signal: AbortSignal): Promise<Reading>
  explain(asked: Asked): Promise<Explained>
  /** Returns a page of events, newest first. */
  events(question: EventsQuestion, signal: AbortSignal): Promise<EventsPage>
  tiers(): Tiers
  /** Copies new hot rows into the mirror, so that the next question has less to do. */
  catchUp(): Promise<void>
  /** Waits for a running catch-up. No question may be running. */
  close(): Promise<void>
}

/** The state of the mirror of the hot rows. */
export interface Mirrored {
  rows: number
  /** The mirror is complete up to this `seq`. */
  through: number
  /** Time since that catch-up started: the mirror has every row committed before it. */
  age_ms: number
}

/** DuckDB ignores an interrupt that arrives before a query starts, so it is repeated until the query ends. */
const INTERRUPT_INTERVAL_MS = 20

export interface EngineOptions {
  threads: number
  memory_mb: number
  onMirrored?: (mirrored: Mirrored) => void
  /** False: every question reads events. */
  uses_sets?: boolean
}

export async function openEngine(
  db: Sqlite,
  layout: Layout,
  { onMirrored = () => {}, uses_sets = true, ...options }: EngineOptions,
): Promise<Engine> {
  const duck = await openDuck({ ...options, spill: layout.spill })
  const writing = await duck.connect()
  await writing.run('SET parquet_metadata_cache = true')
  const mirror = await openMirror(db, writing)
  const hotDays = openHotDays(db, writing)
  const sets = openSets(db)
  const checkFile = createFileCheck(layout)
  const idle: DuckConnection[] = []

  let last: Promise<unknown> = Promise.resolve()
  /** Runs `act` alone: changes of the mirror, and the start of a snapshot of it. */
  function exclusive<T>(act: () => Promise<T>): Promise<T> {
    const result = last.then(act)
    last = result.catch(() => {})
    return result
  }

  /** Only within {@link exclusive}. */
  async function catchUp(): Promise<Catalog> {
    const began = performance.now()
    const catalog = await mirror.catchUp()
    onMirrored({ rows: mirror.rows, through: mirror.through, age_ms: performance.now() - began })
    return catalog
  }

  /**
   * Begins a DuckDB transaction that sees the mirror as of one SQLite snapshot, and returns the
   * catalog of the same snapshot. Later changes of the mirror by other questions are not visible in
   * it.
   */
  function beginSnapshot(connection: DuckConnection): Promise<{ catalog: Catalog }> {
    return exclusive(async () => {
      const catalog = await catchUp()
      await connection.run('BEGIN TRANSACTION')
      // DuckDB takes its snapshot at the first read, not at BEGIN.
      await connection.run('SELECT 1 FROM hot LIMIT 1')
      return { catalog }
    })
  }

  async function withConnection<T>(
    signal: AbortSignal,
    act: (connection: DuckConnection) => Promise<T>,
  ): Promise<T> {
    const connection = idle.pop() ?? (await duck.connect())
    let repeat: NodeJS.Timeout | undefined
    const interrupt = () => {
      connection.interrupt()
      repeat = setInterval(() => connection.interrupt(), INTERRUPT_INTERVAL_MS)
    }
    signal.addEventListener('abort', interrupt, { once: true })
    try {
      return await act(connection)
    } finally {
      signal.removeEventListener('abort', interrupt)
      clearInterval(repeat)
      await connection.run('ROLLBACK').catch(() => {})
      idle.push(connection)
    }
  }

  /** Checks the files of a plan against the catalog, then runs it. */
  async function read(connection: DuckConnection, plan: QueryPlan, signal: AbortSignal) {
    for (const file of plan.files) {
      await checkFile(file)
      signal.throwIfAborted()
    }
    const reader = await connection.runAndReadAll(plan.sql, plan.params).catch((error: unknown) => {
      const blamed = plan.files.find((file) => String(error).includes(file.path))
      throw blamed === undefined ? error : new ColdFileError(blamed, 'cannot be read', error)
    })
    return reader.getRows()
  }

  async function run(
    connection: DuckConnection,
    asked: Asked,
    catalog: Catalog,
    signal: AbortSignal,
  ): Promise<Reading> {
    await checkPatterns(connection, asked)
    const plan = planQuery(asked, catalog, layout.cold)
    const rows = await read(connection, plan, signal)
    return {
      rows: rows as Row[],
      hot_events: await countHot(connection, plan.days),
      cold_events: plan.cold_events,
      cold_files: plan.files.length,
      answered_from: 'events',
    }
  }

  /** The plan of a question that can be answered from the sets that there are, or null. */
  function planCounted(asked: Asked, catalog: Catalog): UserDaysPlan | null {
    const plan = uses_sets ? planUserDays(asked, catalog) : null
    return plan !== null && plan.files.every((file) => sets.counts(file) !== null) ? plan : null
  }

  /**
   * Answers from sets, on one snapshot of both tiers.
   * @returns null if that cannot be: the question asks for more, or a file has no sets or damaged ones
   */
  async function countDays(asked: Asked, signal: AbortSignal): Promise<Reading | null> {
    if (!uses_sets || !isCountable(asked)) return null
    const counted = await exclusive(async () => {
      signal.throwIfAborted()
      const catalog = await catchUp()
      const plan = planCounted(asked, catalog)
      if (plan === null) return null
      const hot = await hotDays.read(mirror, catalog.generation, plan.days)
      if (hot === null) return null
      const rows = questionNamed(asked.name).from_user_days!.rows(asked, unitedDays(plan, sets, hot))
      return { rows, plan, catalog, hot_events: eventsOf(hot, plan.days) }
    }).catch((error: unknown) => {
      if (error instanceof SetError) return null
      throw error
    })
    if (counted === null) return null
    const { rows, plan, catalog, hot_events } = counted
    for (const file of plan.files) {
      try {
        await checkFile(file)
      } catch (error) {
        if (readGeneration(db) !== catalog.generation) return null
        throw error
      }
      signal.throwIfAborted()
    }
    return {
      rows,
      hot_events,
      cold_events: plan.files.reduce((n, file) => n + file.rows, 0),
      cold_files: plan.files.length,
      answered_from: 'sets',
    }
  }

  /**
   * Finds the positions of `limit + 1` events, group by group, then reads the events between the
   * first and the last wanted.
   */
  async function readEvents(
    connection: DuckConnection,
    question: EventsQuestion,
    catalog: Catalog,
    signal: AbortSignal,
  ): Promise<EventsPage> {
    await checkPatterns(connection, { filter: question.filter, parameters: null })
    const places: Position[] = []
    const days = { from: question.from, to: question.to }
    const files: ColdFile[] = []
    for (const group of planDayGroups(question, catalog)) {
      const plan = planPlaces(question, group, question.limit + 1 - places.length, layout.cold)
      const found = (await read(connection, plan, signal)) as [number, string][]
      for (const [at_us, event_id] of found) places.push({ at_us, event_id })
      files.push(...group.files)
      days.from = group.from
      signal.throwIfAborted()
      if (places.length > question.limit) break
    }
    const wanted = places.slice(0, question.limit)
    let rows: EventRow[] = []
    if (wanted.length > 0) {
      const plan = planEvents(question, [wanted[0]!, wanted.at(-1)!], EVENTS_BYTES_MAX, files, layout.cold)
      rows = (await read(connection, plan, signal)) as EventRow[]
    }
    return {
      ...pageOf(rows, places),
      hot_events: await countHot(connection, days),
      cold_events: files.reduce((n, file) => n + file.rows, 0),
      cold_files: files.length,
    }
  }

  /** Runs `act` on one snapshot of both tiers, again if it fails and the catalog has changed. */
  function inSnapshot<T>(
    signal: AbortSignal,
    act: (connection: DuckConnection, catalog: Catalog) => Promise<T>,
  ): Promise<T> {
    return withConnection(signal, async (connection) => {
      for (;;) {
        signal.throwIfAborted()
        const { catalog } = await beginSnapshot(connection)
        signal.throwIfAborted()
        try {
          return await act(connection, catalog)
        } catch (error) {
          // A file that a merge replaced can be deleted during a slow question. The catalog has then changed.
          if (signal.aborted || error instanceof PatternError || readGeneration(db) === catalog.generation)
            throw error
          await connection.run('ROLLBACK')
        }
      }
    })
  }

  return {
    ask: async (asked, signal) =>
      (await countDays(asked, signal)) ??
      (await inSnapshot(signal, (connection, catalog) => run(connection, asked, catalog, signal))),
    explain: (asked) =>
      exclusive(async () => {
        const catalog = await catchUp()
        const counted = planCounted(asked, catalog)
        const plan = counted ?? planQuery(asked, catalog, layout.cold)
        return {
          answered_from: counted === null ? 'events' : 'sets',
          from: formatDay(plan.days.from),
          to: formatDay(plan.days.to),
          cold_files: plan.files.length,
          cold_events: plan.files.reduce((n, file) => n + file.rows, 0),
          sql: 'sql' in plan ? plan.sql : null,
        }
      }),
    events: (question, signal) =>
      inSnapshot(signal, (connection, catalog) => readEvents(connection, question, catalog, signal)),
    tiers: () => readTiers(db),
    async catchUp() {
      await exclusive(catchUp)
    },
    async close() {
      // DuckDB does not look whether a connection is at work before it frees it.
      await last
      for (const connection of idle) connection.closeSync()
      writing.closeSync()
      duck.close()
    },
  }
}

function eventsOf({ days }: HotDays, { from, to }: Days): number {
  return [...days].reduce(
    (n, [day, types]) => n + (day >= from && day <= to ? types.get(ALL_EVENTS)!.events : 0),
    0,
  )
}

async function countHot(connection: DuckConnection, { from, to }: Days): Promise<number> {
  const hot = await connection.runAndReadAll(
    'SELECT count(*)::DOUBLE FROM hot WHERE day BETWEEN $1::DATE AND $2::DATE',
    [formatDay(from), formatDay(to)],
  )
  return hot.getRows()[0]![0] as number
}
