import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as DuckDb from '@duckdb/node-api'
import type {
  DuckDBAppender,
  DuckDBConnection,
  DuckDBPreparedStatement,
  DuckDBUUIDVector,
  DuckDBValue,
} from '@duckdb/node-api'

/** The only file that opens DuckDB. Nothing is left to its defaults that take 80% of the machine or the working directory. */

export type DuckAppender = DuckDBAppender
export type DuckConnection = DuckDBConnection
export type DuckStatement = DuckDBPreparedStatement
export type DuckValue = DuckDBValue

export interface DuckOptions {
  threads: number
  memory_mb: number
  /** Folder for what does not fit into memory. */
  spill: string
  /** A database file; in memory if not given. */
  path?: string
}

export interface Duck {
  connect(): Promise<DuckConnection>
  close(): void
}

/**
 * Loads the package where it is used: the thread that stores events seldom does. By `require`, because `import` first looks through all of
 * its files for the names that they export, which takes as long as the rest.
 */
export function loadDuckDb(): typeof DuckDb {
  return createRequire(import.meta.url)('@duckdb/node-api') as typeof DuckDb
}

export async function openDuck(options: DuckOptions): Promise<Duck> {
  // A folder for this instance alone: all instances give their spill files the same names. The process id tells whose it was.
  const spill = join(options.spill, `${process.pid}-${randomUUID()}`)
  mkdirSync(spill, { recursive: true })
  const { DuckDBInstance } = loadDuckDb()
  const instance = await DuckDBInstance.create(options.path ?? ':memory:', {
    threads: String(options.threads),
    memory_limit: `${options.memory_mb}MB`,
    temp_directory: spill,
    // Extensions are downloads: whatever is not built in does not exist here.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
  })
  return {
    async connect() {
      const connection = await instance.connect()
      await connection.run(`SET TimeZone = 'UTC'`)
      return connection
    },
    close() {
      instance.closeSync()
      rmSync(spill, { recursive: true, force: true })
    },
  }
}

/**
 * Acts on all items, on several of them at a time, each on a connection of its own. When one fails no other is begun.
 * @throws the first error, once all that were begun have ended: nobody may close DuckDB under a statement
 */
export async function inParallel<T>(
  duck: Pick<Duck, 'connect'>,
  items: readonly T[],
  at_a_time: number,
  act: (item: T, connection: DuckConnection) => Promise<void>,
): Promise<void> {
  let next = 0
  async function work(): Promise<void> {
    const connection = await duck.connect()
    try {
      while (next < items.length) {
        next += 1
        await act(items[next - 1]!, connection)
      }
    } catch (error) {
      next = items.length
      throw error
    } finally {
      connection.closeSync()
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(at_a_time, items.length) }, work))
  const failed = ended.find((each) => each.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Deletes what killed processes have spilled. */
export function sweepSpill(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!isAlive(Number(name.split('-')[0]))) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A string as SQL text, for the places that take no bound parameter (COPY targets, file lists). */
export function sqlText(value: string): string {
  if (value.includes('\0')) throw new Error('a text with NUL cannot stand in SQL')
  return `'${value.replaceAll("'", "''")}'`
}

export function sqlTextList(values: readonly string[]): string {
  return `[${values.map(sqlText).join(', ')}]`
}

/**
 * Hands over every UUID of a one-column result as its four big-endian 32-bit words, signed.
 * It reads the vectors' memory, 4 million ids a second; a BigInt or a string for each id takes ten times as long.
 * DuckDB keeps a UUID as a little-endian 128-bit integer with the top bit flipped, so that it sorts.
 */
export async function forEachUuid(
  connection: DuckConnection,
  sql: string,
  take: (w0: number, w1: number, w2: number, w3: number) => void,
): Promise<void> {
  const result = await connection.run(sql)
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) return
    const { dataView } = chunk.getColumnVector(0) as unknown as Pick<DuckDBUUIDVector, 'itemCount'> & {
      dataView: DataView
    }
    for (let row = 0, at = 0; row < chunk.rowCount; row += 1, at += 16) {
      take(
        dataView.getInt32(at + 12, true) ^ 0x80000000,
        dataView.getInt32(at + 8, true),
        dataView.getInt32(at + 4, true),
        dataView.getInt32(at, true),
      )
    }
  }
}
