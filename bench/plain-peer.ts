import { join } from 'node:path'
import { openDuck, sqlText } from '../src/store/duckdb.ts'
import { openClickHouse } from './clickhouse.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { CLICKHOUSE, DUCKDB, linesOf } from './plain.ts'
import { serveApart } from './process.ts'
import { timed } from './questions-timed.ts'
import type { Timed } from './questions-timed.ts'

/** An engine alone in a process, asked by SQL that was written by hand. */

export interface PlainOrder {
  engine: 'duckdb' | 'clickhouse'
  /** Folder of the cold files, or of ClickHouse's data. */
  folder: string
  /** Labels of the questions. */
  labels: readonly string[]
  from: string
  to: string
}

type Query = (sql: string) => Promise<unknown[][]> | unknown[][]

async function openPlainDuck(folder: string): Promise<Query> {
  const duck = await openDuck({ threads: THREADS, memory_mb: MEMORY_MB, spill: join(folder, '../spill') })
  const connection = await duck.connect()
  await connection.run('SET parquet_metadata_cache = true')
  await connection.run(
    `CREATE VIEW events AS SELECT day, epoch_us(occurred_at) AS at_us, user_id, event_type, properties
     FROM read_parquet(${sqlText(join(folder, '*/*.parquet'))}, hive_partitioning = true, hive_types = {'day': DATE})`,
  )
  return async (sql) => (await connection.runAndReadAll(sql)).getRows()
}

serveApart<PlainOrder, Timed>(async ({ engine, folder, labels, from, to }) => {
  const query = engine === 'duckdb' ? await openPlainDuck(folder) : (await openClickHouse(folder)).query
  const dialect = engine === 'duckdb' ? DUCKDB : CLICKHOUSE
  return timed(labels, async (question) => linesOf(await query(question.sql(dialect, { from, to }))))
})
