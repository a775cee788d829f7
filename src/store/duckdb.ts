import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type {
  DuckDBAppender,
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBPreparedStatement,
  DuckDBUUIDVector,
  DuckDBValue,
} from '@duckdb/node-api'

/**
 * The only file that opens DuckDB. It always sets memory, threads and temp directory, because the
 * defaults take 80% of the machine's memory and spill into the working directory.
 */

export type DuckAppender = DuckDBAppender
export type DuckConnection = DuckDBConnection
export type DuckStatement = DuckDBPreparedStatement
export type DuckValue = DuckDBValue

export interface DuckOptions {
  threads: number
  memory_mb: number
  /** Folder for temporary files when a query exceeds its memory. */
  spill: string
  /** Database file; in memory if omitted. */
  path?: string
}

export interface Duck {
  connect(): Promise<DuckConnection>
  close(): void
}

/** Loads the package on first use, because the writer thread rarely needs it. */
export async function loadDuckDb() {
  // The package is CommonJS: only its default export is the same bundled and not.
  return (await import('@duckdb/node-api')).default
}

export async function openDuck(options: DuckOptions): Promise<Duck> {
  // One folder per instance, because all instances use the same names for spill files.
  // The pid in its name tells sweepSpill whether the process is still alive.
  const spill = join(options.spill, `${process.pid}-${randomUUID()}`)
  mkdirSync(spill, { recursive: true })
  const { DuckDBInstance } = await loadDuckDb()
  const instance = await DuckDBInstance.create(options.path ?? ':memory:', {
    threads: String(options.threads),
    memory_limit: `${options.memory_mb}MB`,
    temp_directory: spill,
    // Extensions are downloaded at run time, so only built-in ones are used.
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

/** Whether a statement failed because it needed more than `memory_mb`. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Out of Memory Error')
}

/**
 * Runs `act` on all items with at most `at_a_time` in parallel, each worker on its own connection.
 * After a failure no further item is started.
 * @throws the first error, after all running items have ended, because DuckDB must not be closed while
 * a statement runs
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

/** Deletes spill folders of processes that no longer run. */
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

/**
 * Quotes a string for SQL, for places that take no bound parameter (COPY targets, file lists).
 * @throws {Error} if the string contains NUL
 */
export function sqlText(value: string): string {
  if (value.includes('\0')) throw new Error('an SQL string must not contain NUL')
  return `'${value.replaceAll("'", "''")}'`
}

export function sqlTextList(values: readonly string[]): string {
  return `[${values.map(sqlText).join(', ')}]`
}

/** DuckDB has no way to write this in a path: what makes a pattern, and the backslash that its patterns cannot quote. */
export function isUnreadablePath(path: string): boolean {
  return path.includes('\\') && PATTERN_CHARS.test(path)
}

const PATTERN_CHARS = /[[*?]/

/** A path as SQL text that names this one file. DuckDB takes every path that it reads as a pattern; a bracket quotes. */
function sqlPath(path: string): string {
  if (isUnreadablePath(path)) throw new Error('a path with a backslash and one of * ? [ cannot be read')
  return sqlText(path.replaceAll(/[[*?]/g, '[$&]'))
}

/**
 * SQL that reads these Parquet files and nothing else. Folders of the path never become columns, whatever they are called.
 * @param options further options, such as `file_row_number = true`
 */
export function readParquetSql(paths: readonly string[], options = ''): string {
  return `read_parquet([${paths.map(sqlPath).join(', ')}], hive_partitioning = false${options === '' ? '' : `, ${options}`})`
}

/** SQL that reads this CSV file, as {@link readParquetSql} does. The name's ending does not matter. */
export function readCsvSql(path: string, options: string): string {
  return `read_csv(${sqlPath(path)}, hive_partitioning = false, compression = 'none', ${options})`
}

/** The memory of an INTEGER column without NULLs: to ask a vector for each of its items takes ten times as long. */
export function integersOf(chunk: DuckDBDataChunk, column: number): Int32Array {
  return (chunk.getColumnVector(column) as unknown as { items: Int32Array }).items
}

/**
 * Calls `take` for every UUID of a result's first column with its four big-endian 32-bit words, signed, and
 * with the INTEGER of the second column, 0 if there is none. It reads the vectors' memory directly, 4 million ids/s; a BigInt or a string per id is ten times slower.
 * DuckDB stores a UUID as a little-endian 128-bit integer with the top bit flipped for sorting.
 */
export async function forEachUuid(
  connection: DuckConnection,
  sql: string,
  take: (w0: number, w1: number, w2: number, w3: number, n: number) => void,
): Promise<void> {
  const result = await connection.run(sql)
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) return
    const { dataView } = chunk.getColumnVector(0) as unknown as Pick<DuckDBUUIDVector, 'itemCount'> & {
      dataView: DataView
    }
    const numbers = chunk.columnCount > 1 ? chunk.getColumnVector(1) : null
    for (let row = 0, at = 0; row < chunk.rowCount; row += 1, at += 16) {
      take(
        dataView.getInt32(at + 12, true) ^ 0x80000000,
        dataView.getInt32(at + 8, true),
        dataView.getInt32(at + 4, true),
        dataView.getInt32(at, true),
        numbers === null ? 0 : (numbers.getItem(row) as number),
      )
    }
  }
}
