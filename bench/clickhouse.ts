import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { formatDay } from '../src/event/time.ts'
import type { Row } from '../src/query/answer.ts'
import { daysAskedFor, WINDOW_DAYS } from '../src/query/question.ts'
import type { Question } from '../src/query/question.ts'
import { sqlText } from '../src/store/duckdb.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { importPeer } from './peers.ts'

/** ClickHouse in this process, with the events as one table in the order of users and times. */
export interface ClickHouse {
  /** From cold files. Merged to one part at the end, as a table is that was left alone for long. */
  fill(cold_folder: string): void
  ask(question: Question): Row[]
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
    ask(question) {
      const lines = session.query(`${statementFor(question)} ${LIMITS}`, 'JSONCompactEachRow')
      return lines
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Row)
    },
    close: () => session.close(),
  }
}

/** What src/query/sql.ts says of a question without filters, in ClickHouse's words. */
function statementFor(question: Question): string {
  const { from, to } = daysAskedFor(question)
  const selected = `FROM bench.events WHERE day BETWEEN '${formatDay(from)}' AND '${formatDay(to)}'`
  switch (question.kind) {
    case 'dau':
      return `SELECT toString(day), uniqExact(user_id) ${selected} GROUP BY day`
    case 'top_events':
      return `SELECT event_type, count() AS n ${selected} GROUP BY event_type ORDER BY n DESC, event_type LIMIT ${question.limit}`
    case 'retention':
      return `WITH active AS (
                SELECT DISTINCT user_id, intDiv(day - toDate('${formatDay(from)}'), ${WINDOW_DAYS[question.window]}) AS w ${selected})
              SELECT w, count() FROM active WHERE user_id IN (SELECT user_id FROM active WHERE w = 0) GROUP BY w`
  }
}
