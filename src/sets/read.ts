import type { ColdFile, FileSet } from '../store/catalog.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { checksumOf, decodeSet } from './coding.ts'

/** Reads the sets of cold files. A path is never used twice, so what was read stays true. */

/** Events and users of a file, without saying who. */
export interface Counts {
  events: number
  users: number
}

/** A stored set is not what was written. */
export class SetError extends Error {
  override name = 'SetError'
}

export interface SetReader {
  /**
   * By event type, with ALL_EVENTS; null if the file has no sets, damaged ones, or too many types for a set of each.
   * The first call for a file reads all of its sets, to check them.
   */
  counts(file: ColdFile): ReadonlyMap<string, Counts> | null
  /**
   * The sorted numbers of the users of one type, or of all events.
   * @throws {SetError} if it is damaged or gone
   */
  users(file: ColdFile, event_type: string): Uint32Array
}

/** Decoded sets that are kept. A day of 50,000 users takes 200 kB. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024
/** Files whose counts are kept. */
const KEPT_FILES_MAX = 10_000

export function openSets(db: Sqlite): SetReader {
  const readSets = db.prepare('SELECT * FROM file_sets WHERE path = ?')
  const readSet = db.prepare('SELECT * FROM file_sets WHERE path = ? AND event_type = ?')
  const counted = new Map<string, ReadonlyMap<string, Counts>>()
  const decoded = new Map<string, Uint32Array>()
  let decoded_bytes = 0

  function read(path: string, event_type: string): Uint32Array {
    const row = readSet.get(path, event_type) as FileSet | undefined
    if (row === undefined || checksumOf(row) !== row.checksum)
      throw new SetError(`the set of users of ${path} is damaged or gone`)
    return decodeSet(row.uids, row.users)
  }

  return {
    counts({ path, rows: events_of_file }) {
      const known = counted.get(path)
      if (known !== undefined) return known
      const rows = readSets.all(path) as FileSet[]
      const counts = new Map(rows.map(({ event_type, events, users }) => [event_type, { events, users }]))
      // The events of all types are those of the file, twice. Too few are those of missing types.
      const events = rows.reduce((sum, set) => sum + set.events, 0)
      if (events !== 2 * events_of_file || rows.some((set) => checksumOf(set) !== set.checksum)) return null
      counted.set(path, counts)
      if (counted.size > KEPT_FILES_MAX) counted.delete(counted.keys().next().value!)
      return counts
    },
    users({ path }, event_type) {
      const key = `${path}\0${event_type}`
      const known = decoded.get(key)
      const set = known ?? read(path, event_type)
      // The last to be used is the last to go.
      decoded.delete(key)
      decoded.set(key, set)
      if (known === undefined) decoded_bytes += set.byteLength
      for (const [oldest, { byteLength }] of decoded) {
        if (decoded_bytes <= KEPT_BYTES_MAX || oldest === key) break
        decoded.delete(oldest)
        decoded_bytes -= byteLength
      }
      return set
    },
  }
}
