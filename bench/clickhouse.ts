import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { formatDay } from '../src/event/time.ts'
import type { Asked, Row } from '../src/questions/parts/asked.ts'
import { sqlText } from '../src/store/duckdb.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { importPeer } from './peers.ts'

/** ClickHouse in this process, with the events in one table ordered by user and time. */
export interface ClickHouse {
  /** Loads the cold files and merges the table into one part. */
  fill(cold_folder: string): void
  ask(asked: Asked): Row[]
  /** @param sql a SELECT without SETTINGS */
  query(sql: string): Row[]
  close(): void
}

/** The subset of chdb that is used. */
interface Chdb {
  Session: new (folder: string) => {
    query(sql: string, format: string): string
    close(): void
  }
}

const LIMITS = `SETTINGS max_threads = ${THREADS}, max_memory_usage = ${MEMORY_MB * 1_024 ** 2}`

export async function openClickHouse(folder: string): Promise<ClickHouse> {
  const { Session } = await importPeer<Chdb>('chdb')
  mkdirSync(folder, { recursive: true })
  const session = new Session(folder)
  const run = (sql: string) => session.query(sql, 'Null')
  const query = (sql: string) =>
    session
      .query(`${sql} ${LIMITS}`, 'JSONCompactEachRow')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Row)
  return {
    fill(cold_folder) {
      run('CREATE DATABASE bench')
      run(
        `CREATE TABLE bench.events (event_id UUID, occurred_at DateTime64(6, 'UTC'), user_id String, event_type LowCardinality(String), properties String,
           day Date MATERIALIZED toDate(occurred_at)) ENGINE = MergeTree ORDER BY (user_id, occurred_at)`,
      )
      run(
        `INSERT INTO bench.events SELECT event_id, occurred_at, user_id, event_type, properties
         FROM file(${sqlText(join(cold_folder, 'day=*', '*.parquet'))}, Parquet)`,
      )
      run('OPTIMIZE TABLE bench.events FINAL')
    },
    ask: (asked) => query(statementFor(asked)),
    query,
    close: () => session.close(),
  }
}

/** The SQL of src/questions for a question without filters and in UTC, in ClickHouse's dialect. */
function statementFor({ name, parameters, days: { from, to } }: Asked): string {
  const selected = `FROM bench.events WHERE day BETWEEN '${formatDay(from)}' AND '${formatDay(to)}'`
  const { limit, window } = parameters as { limit: number; window: 'day' | 'week' }
  switch (name) {
    case 'dau':
      return `SELECT toRelativeDayNum(day), uniqExact(user_id) ${selected} GROUP BY day`
    case 'top-events':
      return `SELECT event_type, count() AS n ${selected} GROUP BY event_type ORDER BY n DESC, event_type LIMIT ${limit}`
    case 'retention':
      return `WITH active AS (
                SELECT DISTINCT user_id, intDiv(day - toDate('${formatDay(from)}'), ${window === 'week' ? 7 : 1}) AS w ${selected})
              SELECT 'all', 0, w, count() FROM active WHERE user_id IN (SELECT user_id FROM active WHERE w = 0) GROUP BY w`
    default:
      throw new Error(`${name} is not asked of ClickHouse`)
  }
}
