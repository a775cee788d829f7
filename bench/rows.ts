import { rmSync, writeFileSync } from 'node:fs'
import { formatDay, MICROS_PER_DAY, parseDay } from '../src/event/time.ts'
import { sqlText } from '../src/store/duckdb.ts'
import type { DuckConnection } from '../src/store/duckdb.ts'
import { toCsv } from '../tests/support/sample.ts'
import { makeEvents } from './events.ts'

/** Events by the million for 30 days, made by DuckDB: the demo's generator makes 40,000 a second, and takes 3,000 for a day. */

export interface Rows {
  /** A Parquet file with the columns of a cold file. */
  path: string
  count: number
  /** The days that they are of, both included. */
  from: string
  to: string
}

/** About 30 days of the demo. */
const EVENTS_MADE = 100_000

/**
 * Writes the demo's events over and over, every time by other users, in other sessions and at another time of the same day. So a day gets
 * more users as it gets more events, and texts compress as they did.
 */
export async function writeRows(
  connection: DuckConnection,
  path: string,
  { count, order }: { count: number; order: string },
): Promise<Rows> {
  const { events, from, to } = makeEvents(Math.min(count, EVENTS_MADE))
  const csv = `${path}.csv`
  writeFileSync(csv, toCsv(events))
  await connection.run(
    `CREATE TEMP TABLE made AS
     SELECT row_number() OVER () - 1 AS n, occurred_at::DATE AS day, epoch_us(occurred_at) % ${MICROS_PER_DAY} AS time_us, user_id, event_type,
       properties_json AS properties, json_extract_string(properties_json, 'session_id') AS session_id
     FROM read_csv(${sqlText(csv)}, types = {'occurred_at': 'TIMESTAMPTZ', 'properties_json': 'VARCHAR'})`,
  )
  rmSync(csv)
  await connection.run(
    `COPY (
       SELECT uuid() AS event_id, * FROM (
         SELECT make_timestamptz(epoch_us(day) + (time_us + hash(user_id, copy) % ${MICROS_PER_DAY}::UBIGINT)::BIGINT % ${MICROS_PER_DAY}) AS occurred_at,
           'u' || ${hex('hash(user_id, copy)')} AS user_id, event_type,
           replace(properties, session_id, ${hex('hash(session_id, copy)')}) AS properties
         FROM made, range(${Math.ceil(count / events.length)}) AS copies(copy)
         WHERE copy * ${events.length} + n < ${count}
         ORDER BY ${order}))
     TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd)`,
  )
  await connection.run('DROP TABLE made')
  return { path, count, from, to }
}

/** The SQL of eight digits, which are the same for the same value. */
function hex(value: string): string {
  return `format('{:08x}', ${value} % 4294967296)`
}

/** The first day of the second half, which is what is hot where the tiers are half and half. */
export function middleOf({ from, to }: Rows): string {
  return formatDay(Math.ceil((parseDay(from)! + parseDay(to)! + 1) / 2))
}
