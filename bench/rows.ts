import { rmSync, writeFileSync } from 'node:fs'
import { formatDay, MICROS_PER_DAY, parseDay } from '../src/event/time.ts'
import { sqlText } from '../src/store/duckdb.ts'
import type { DuckConnection } from '../src/store/duckdb.ts'
import { toCsv } from '../tests/support/sample.ts'
import { makeEvents } from './events.ts'

/**
 * Millions of events over 30 days, generated with DuckDB. The demo's generator makes 40,000 events/s and
 * about 3,000 events per day.
 */

export interface Rows {
  /** A Parquet file with the columns of a cold file. */
  path: string
  count: number
  /** First and last day, both included. */
  from: string
  to: string
}

/** About 30 days of the demo. */
const EVENTS_MADE = 100_000

/**
 * Writes the demo's events repeatedly, each time with other users, sessions and times of the same day.
 * More events therefore mean more users per day, and the text columns compress like the original.
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

/** SQL that formats a value as eight hex digits. */
function hex(value: string): string {
  return `format('{:08x}', ${value} % 4294967296)`
}

/** The first day of the second half, which is the hot half in the store with half and half. */
export function middleOf({ from, to }: Rows): string {
  return formatDay(Math.ceil((parseDay(from)! + parseDay(to)! + 1) / 2))
}
