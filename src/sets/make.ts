import type { FileSet } from '../store/catalog.ts'
import { integersOf, readParquetSql } from '../store/duckdb.ts'
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
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE pairs AS
       SELECT file_index::INTEGER AS f, event_type, user_id, count(*) AS events FROM ${source} GROUP BY ALL`,
    )
    const users = await connection.runAndReadAll('SELECT DISTINCT user_id FROM pairs ORDER BY user_id')
    await handOver(connection, db, users.getColumns()[0] as string[])
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE counted_types AS
       SELECT f, event_type, sum(events)::DOUBLE AS events, (row_number() OVER (ORDER BY f, event_type) - 1)::INTEGER AS t
       FROM pairs GROUP BY f, event_type`,
    )
    const counted = await connection.runAndReadAll(
      'SELECT f, event_type, events FROM counted_types ORDER BY t',
    )
    const types = (counted.getRows() as [number, string, number][]).map(([f, event_type, events]) => ({
      f,
      event_type,
      events,
    }))
    const uids = await readPairs(connection, types.length)
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
    await connection.run(
      'DROP TABLE IF EXISTS pairs; DROP TABLE IF EXISTS numbered; DROP TABLE IF EXISTS counted_types',
    )
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
async function readPairs(connection: DuckConnection, types: number): Promise<Uint32Array[]> {
  const counted = await connection.runAndReadAll(
    'SELECT t, count(*)::INTEGER FROM pairs JOIN counted_types USING (f, event_type) GROUP BY t',
  )
  const counts = new Map(counted.getRows() as [number, number][])
  const uids = Array.from({ length: types }, (_, t) => new Uint32Array(counts.get(t)!))
  const filled = new Uint32Array(types)
  const result = await connection.run(
    'SELECT t, uid FROM pairs JOIN counted_types USING (f, event_type) JOIN numbered USING (user_id) ORDER BY t, uid',
  )
  for (let chunk = await result.fetchChunk(); chunk !== null; chunk = await result.fetchChunk()) {
    if (chunk.rowCount === 0) break
    const [of_type, uid] = [integersOf(chunk, 0), integersOf(chunk, 1)]
    for (let row = 0; row < chunk.rowCount; row += 1) {
      const t = of_type[row]!
      uids[t]![filled[t]!] = uid[row]!
      filled[t]! += 1
    }
  }
  return uids
}

/** The sorted numbers that are in any of these sets. */
function united(sets: readonly Uint32Array[]): Uint32Array {
  if (sets.length === 1) return sets[0]!
  const all = new Uint32Array(sets.reduce((n, { length }) => n + length, 0))
  let end = 0
  for (const set of sets) {
    all.set(set, end)
    end += set.length
  }
  all.sort()
  return all.filter((number, i) => i === 0 || number !== all[i - 1])
}
