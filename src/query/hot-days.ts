import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import type { Days } from '../questions/parts/asked.ts'
import { ALL_EVENTS } from '../sets/coding.ts'
import { findNumbers } from '../sets/numbers.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Mirror } from './mirror.ts'

/** Users and events of one type, or of all, in the hot rows of a day. */
export interface HotCounts {
  events: number
  users: Set<number>
}

/**
 * The users of the hot rows by day and event type, by their numbers. Sets of cold files share the numbers; a user that is in none of
 * them has a number that no set has, until the catalog changes. Not safe for concurrent calls.
 */
export interface HotDays {
  /** By event type, with ALL_EVENTS. */
  readonly days: ReadonlyMap<Day, ReadonlyMap<string, HotCounts>>
  /** All numbers are below. */
  readonly numbers: number
}

export interface HotDaysReader {
  /**
   * Takes the rows of the mirror that are new.
   * @returns the days with hot rows, or none if there are no hot rows between two days; null if there are too many rows to keep their users
   */
  read(mirror: Pick<Mirror, 'rows' | 'through'>, generation: number, days: Days): Promise<HotDays | null>
}

/** With more hot rows their users would take hundreds of MB, and DuckDB counts them faster. */
export const HOT_ROWS_KEPT_MAX = 250_000

/** @param connection one that sees the mirror as it is */
export function openHotDays(db: Sqlite, connection: DuckConnection): HotDaysReader {
  const nextNumber = db.prepare('SELECT next FROM user_numbering').pluck()
  let days = new Map<Day, Map<string, HotCounts>>()
  let known = new Map<string, number>()
  let numbers = 0
  /** Numbers of users in sets are below. */
  let numbered = 0
  let of_generation = -1
  let seen = 0

  function reset(generation: number): void {
    days = new Map()
    known = new Map()
    of_generation = generation
    seen = 0
    // Read after the catalog: users of its files have their numbers before it lists them.
    numbered = nextNumber.get() as number
    numbers = numbered
  }

  function learn(user_ids: readonly string[]): void {
    const fresh = [...new Set(user_ids)].filter((user_id) => !known.has(user_id))
    for (const [i, stored] of findNumbers(db, fresh).entries()) {
      // A job that has not published its files may just have numbered the user.
      const is_numbered = stored !== 0 && stored < numbered
      known.set(fresh[i]!, is_numbered ? stored : numbers)
      if (!is_numbered) numbers += 1
    }
  }

  function add(day: Day, event_type: string, user: number, events: number): void {
    const types = days.get(day) ?? new Map<string, HotCounts>()
    days.set(day, types)
    for (const type of [ALL_EVENTS, event_type]) {
      const counts = types.get(type) ?? { events: 0, users: new Set() }
      types.set(type, counts)
      counts.events += events
      counts.users.add(user)
    }
  }

  async function take(through: number): Promise<void> {
    if (through === seen) return
    const reader = await connection.runAndReadAll(
      `SELECT (day - DATE '1970-01-01')::INTEGER, event_type, user_id, count(*)::DOUBLE
         FROM hot WHERE seq > $1::BIGINT GROUP BY ALL`,
      [seen],
    )
    const rows = reader.getRows() as [number, string, string, number][]
    learn(rows.map(([, , user_id]) => user_id))
    for (const [day, event_type, user_id, events] of rows) add(day, event_type, known.get(user_id)!, events)
    seen = through
  }

  async function hasRows({ from, to }: Days): Promise<boolean> {
    const reader = await connection.runAndReadAll(
      'SELECT 1 FROM hot WHERE day BETWEEN $1::DATE AND $2::DATE LIMIT 1',
      [formatDay(from), formatDay(to)],
    )
    return reader.currentRowCount > 0
  }

  return {
    async read({ rows, through }, generation, between) {
      if (generation !== of_generation) reset(generation)
      if (rows > HOT_ROWS_KEPT_MAX) return (await hasRows(between)) ? null : { days: new Map(), numbers }
      await take(through)
      return { days, numbers }
    },
  }
}
