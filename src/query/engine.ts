import { statSync } from 'node:fs'
import { join } from 'node:path'
import { readGeneration } from '../cold/catalog.ts'
import type { Catalog, ColdFile } from '../cold/catalog.ts'
import { realDisk } from '../cold/files.ts'
import { openDuck } from '../duckdb.ts'
import type { DuckConnection } from '../duckdb.ts'
import type { Layout } from '../layout.ts'
import type { Sqlite } from '../sqlite.ts'
import { readTiers } from '../tiers.ts'
import type { Tiers } from '../tiers.ts'
import { formatDay } from '../time.ts'
import type { Row } from './answer.ts'
import { openMirror } from './mirror.ts'
import { planQuery } from './plan.ts'
import type { QueryPlan } from './plan.ts'
import { daysAskedFor } from './question.ts'
import type { Question } from './question.ts'

/** Runs questions on DuckDB, inside the query thread. */

export interface Reading {
  rows: Row[]
  hot_events: number
  cold_events: number
  cold_files: number
}

export interface Engine {
  ask(question: Question, signal: AbortSignal): Promise<Reading>
  tiers(): Tiers
  /** Takes in new hot rows before anybody asks, so that the next question finds little to do. */
  catchUp(): Promise<void>
  /** Waits for a catch-up under way. No question may be running. */
  close(): Promise<void>
}

/** A cold file that the catalog lists is not there or not what it was. Never answered with a smaller number. */
export class ColdFileError extends Error {
  override name = 'ColdFileError'
  constructor(file: ColdFile, what: string, cause?: unknown) {
    super(`Cold file ${file.path} of ${formatDay(file.day)} ${what}. Restore it from a backup.`, { cause })
  }
}

/** An interrupt that arrives before DuckDB has begun is lost, so it is said again until the question has ended. */
const INTERRUPT_AGAIN_MS = 20

export async function openEngine(
  db: Sqlite,
  layout: Layout,
  options: { threads: number; memory_mb: number },
): Promise<Engine> {
  const duck = await openDuck({ ...options, spill: layout.spill })
  const writing = await duck.connect()
  await writing.run('SET parquet_metadata_cache = true')
  const mirror = await openMirror(db, writing)
  const checkFile = createFileCheck(layout)
  const idle: DuckConnection[] = []

  let last: Promise<unknown> = Promise.resolve()
  /** One after another: what moves the mirror, and the moment in which a question fixes what it sees of it. */
  function exclusive<T>(act: () => Promise<T>): Promise<T> {
    const result = last.then(act)
    last = result.catch(() => {})
    return result
  }

  /**
   * Begins a transaction that sees the mirror and the catalog of one and the same SQLite snapshot. What other questions append to the
   * mirror or take out of it from now on, this transaction does not see.
   */
  function beginSnapshot(connection: DuckConnection): Promise<{ catalog: Catalog }> {
    return exclusive(async () => {
      const catalog = await mirror.catchUp()
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
      repeat = setInterval(() => connection.interrupt(), INTERRUPT_AGAIN_MS)
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

  async function run(
    connection: DuckConnection,
    question: Question,
    plan: QueryPlan,
    signal: AbortSignal,
  ): Promise<Reading> {
    for (const file of plan.files) {
      await checkFile(file)
      signal.throwIfAborted()
    }
    const { from, to } = daysAskedFor(question)
    const hot = await connection.runAndReadAll(
      'SELECT count(*)::DOUBLE FROM hot WHERE day BETWEEN $1::DATE AND $2::DATE',
      [formatDay(from), formatDay(to)],
    )
    const reader = await connection.runAndReadAll(plan.sql, plan.params).catch((error: unknown) => {
      const blamed = plan.files.find((file) => String(error).includes(file.path))
      throw blamed === undefined ? error : new ColdFileError(blamed, 'cannot be read', error)
    })
    return {
      rows: reader.getRows() as Row[],
      hot_events: hot.getRows()[0]![0] as number,
      cold_events: plan.cold_events,
      cold_files: plan.files.length,
    }
  }

  return {
    ask(question, signal) {
      return withConnection(signal, async (connection) => {
        for (;;) {
          signal.throwIfAborted()
          const { catalog } = await beginSnapshot(connection)
          signal.throwIfAborted()
          try {
            return await run(connection, question, planQuery(question, catalog, layout.cold), signal)
          } catch (error) {
            // A file that a merge replaced may be deleted under a slow question. Then the catalog has moved on: ask again.
            if (signal.aborted || readGeneration(db) === catalog.generation) throw error
            await connection.run('ROLLBACK')
          }
        }
      })
    },
    tiers: () => readTiers(db),
    async catchUp() {
      await exclusive(() => mirror.catchUp())
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

/** Entries of the cache below; a forgotten one is only read once more. */
const CHECKED_FILES_MAX = 100_000

/**
 * Compares cold files with the catalog: their size every time, and their bytes when they are new to us or the disk says that somebody
 * wrote to them. One flipped bit in a file can be another answer that looks as good as the right one.
 */
function createFileCheck(layout: Layout): (file: ColdFile) => Promise<void> {
  const checked = new Map<string, string>()

  return async function checkFile(file) {
    const path = join(layout.cold, file.path)
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) throw new ColdFileError(file, 'is missing')
    if (Number(stat.size) !== file.bytes) {
      throw new ColdFileError(file, `has ${stat.size} bytes, and the catalog says ${file.bytes}`)
    }
    const version = `${stat.ino} ${stat.mtimeNs} ${stat.ctimeNs}`
    if (checked.get(file.path) === version) return
    const checksum = await realDisk.checksum(path).catch((error: unknown) => {
      throw new ColdFileError(file, 'cannot be read', error)
    })
    if (checksum !== file.checksum) throw new ColdFileError(file, 'is not what was written there')
    if (checked.size >= CHECKED_FILES_MAX) checked.clear()
    checked.set(file.path, version)
  }
}
