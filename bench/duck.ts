import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDuck } from '../src/store/duckdb.ts'
import type { DuckConnection } from '../src/store/duckdb.ts'

/** Limits of every DuckDB in these benchmarks; the defaults of `QUERY_THREADS` and `QUERY_MEMORY_MB`. */
export const THREADS = 2
export const MEMORY_MB = 1_024

/** Creates a folder that is deleted when the process exits. */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `frostline-${name}-`))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** @param folder for DuckDB's temporary files */
export async function withDuck<T>(
  folder: string,
  act: (connection: DuckConnection) => Promise<T>,
): Promise<T> {
  const duck = await openDuck({ threads: THREADS, memory_mb: MEMORY_MB, spill: join(folder, 'spill') })
  const connection = await duck.connect()
  try {
    return await act(connection)
  } finally {
    connection.closeSync()
    duck.close()
  }
}
