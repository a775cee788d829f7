import { readParquetSql } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { FileSet } from '../store/catalog.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { ALL_EVENTS, checksumOf, decodeSet } from './coding.ts'
import { findNumbers } from './numbers.ts'

/**
 * Compares the sets of a file with its rows.
 * @param path of the file in the catalog, and `at` where it lies
 * @returns what is wrong; nothing if it has no sets
 */
export async function checkSets(
  connection: DuckConnection,
  db: Sqlite,
  path: string,
  at: string,
): Promise<string[]> {
  const stored = db.prepare('SELECT * FROM file_sets WHERE path = ?').all(path) as FileSet[]
  if (stored.length === 0) return []
  const found = await readTypes(connection, db, at)
  const wrong = stored.filter((set) => !isEqual(set, found.get(set.event_type)))
  const missing = stored.length > 1 && stored.length !== found.size
  return wrong.length > 0 || missing ? ['has sets of users that are not those of its rows'] : []
}

interface Found {
  events: number
  users: Set<number>
}

async function readTypes(connection: DuckConnection, db: Sqlite, at: string): Promise<Map<string, Found>> {
  const found = new Map<string, Found>([[ALL_EVENTS, { events: 0, users: new Set() }]])
  const result = await connection.run(
    `SELECT event_type, user_id, count(*)::DOUBLE FROM ${readParquetSql([at])} GROUP BY ALL`,
  )
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) break
    const rows = chunk.getRows() as [string, string, number][]
    const users = findNumbers(
      db,
      rows.map(([, user_id]) => user_id),
    )
    for (const [i, [event_type, , events]] of rows.entries()) {
      const own = found.get(event_type) ?? { events: 0, users: new Set() }
      found.set(event_type, own)
      for (const each of [own, found.get(ALL_EVENTS)!]) {
        each.events += events
        each.users.add(users[i]!)
      }
    }
  }
  return found
}

function isEqual(set: FileSet, found: Found | undefined): boolean {
  if (found === undefined || set.checksum !== checksumOf(set)) return false
  if (set.events !== found.events || set.users !== found.users.size) return false
  return decodeSet(set.uids, set.users).every((user) => found.users.has(user))
}
