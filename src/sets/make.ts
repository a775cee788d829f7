import type { FileSet } from '../store/catalog.ts'
import { readParquetSql } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { ALL_EVENTS, checksumOf, encodeSet } from './coding.ts'
import { numberUsers } from './numbers.ts'

/** A file with more event types has the set of all events alone: the others would be many and small. */
export const TYPES_PER_FILE_MAX = 1_000

/** Users that are handed to DuckDB at once. */
const USERS_PER_STATEMENT = 100_000

/**
 * Makes the sets of some files, and numbers their users first.
 * @param files their paths in the catalog, and where they lie
 */
export async function makeSets(
  connection: DuckConnection,
  db: Sqlite,
  files: readonly { path: string; at: string }[],
): Promise<FileSet[]> {
  const source = readParquetSql(files.map(({ at }) => at))
  try {
    const users = await connection.runAndReadAll(`SELECT DISTINCT user_id FROM ${source} ORDER BY user_id`)
    await handOver(connection, db, users.getColumns()[0] as string[])
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE counted_types AS
       SELECT f, event_type, events, (row_number() OVER (ORDER BY f, event_type) - 1)::INTEGER AS t
       FROM (SELECT file_index::INTEGER AS f, event_type, count(*)::DOUBLE AS events FROM ${source} GROUP BY ALL)`,
    )
    const counted = await connection.runAndReadAll(
      'SELECT f, event_type, events FROM counted_types ORDER BY t',
    )
    const types = (counted.getRows() as [number, string, number][]).map(([f, event_type, events]) => ({
      f,
      event_type,
      events,
    }))
    const uids = await readPairs(connection, source, types.length)
    return files.flatMap(({ path }, f) => {
      const own = [...types.keys()].filter((t) => types[t]!.f === f)
      const all = {
        event_type: ALL_EVENTS,
        events: own.reduce((sum, t) => sum + types[t]!.events, 0),
        sorted: united(own.map((t) => uids[t]!)),
      }
      const each = own.length > TYPES_PER_FILE_MAX ? [] : own.map((t) => ({ ...types[t]!, sorted: uids[t]! }))
      return [all, ...each].map(({ event_type, events, sorted }) => {
        const set = { path, event_type, events, users: sorted.length, uids: encodeSet(sorted) }
        return { ...set, checksum: checksumOf(set) }
      })
    })
  } finally {
    await connection.run('DROP TABLE IF EXISTS numbered; DROP TABLE IF EXISTS counted_types')
  }
}

/** Numbers the users, and makes the table `numbered` of them in DuckDB. */
async function handOver(connection: DuckConnection, db: Sqlite, user_ids: readonly string[]): Promise<void> {
  const numbers = numberUsers(db, user_ids)
  await connection.run('CREATE OR REPLACE TEMP TABLE numbered (user_id VARCHAR, uid INTEGER)')
  for (let done = 0; done < user_ids.length; done += USERS_PER_STATEMENT) {
    const end = done + USERS_PER_STATEMENT
    await connection.run(
      `INSERT INTO numbered SELECT unnest(string_split($1, chr(0))), unnest(string_split($2, ','))::INTEGER`,
      [user_ids.slice(done, end).join('\0'), numbers.subarray(done, end).join(',')],
    )
  }
}

/** The sorted numbers of the users of each type of `counted_types`. */
async function readPairs(connection: DuckConnection, source: string, types: number): Promise<number[][]> {
  const uids: number[][] = Array.from({ length: types }, () => [])
  const result = await connection.run(
    `SELECT DISTINCT t, uid FROM (SELECT file_index::INTEGER AS f, event_type, user_id FROM ${source})
     JOIN counted_types USING (f, event_type) JOIN numbered USING (user_id) ORDER BY t, uid`,
  )
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) break
    const [of_type, uid] = [chunk.getColumnVector(0), chunk.getColumnVector(1)]
    for (let row = 0; row < chunk.rowCount; row += 1)
      uids[of_type.getItem(row) as number]!.push(uid.getItem(row) as number)
  }
  return uids
}

function united(sets: readonly (readonly number[])[]): Uint32Array {
  if (sets.length === 1) return Uint32Array.from(sets[0]!)
  return Uint32Array.from(new Set(sets.flat())).toSorted()
}
