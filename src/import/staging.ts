import { join } from 'node:path'
import type { Event } from '../event/event.ts'
import { MICROS_PER_DAY } from '../event/time.ts'
import { loadDuckDb, sqlText } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'

/**
 * What lies between the CSV file and the cold files. All of it is seen through two relations:
 * `staged`, the accepted rows, `(event_id, occurred_at, user_id, event_type, properties, record, day)`, where `record` counts the file's rows
 * from 0; and `fresh`, those of them that no duplicate check has dropped.
 */
export interface Staging {
  connection: DuckConnection
  /**
   * What DuckDB reads is staged as Parquet and not in a table: writing it takes half the time and a third of the memory. Rows that are
   * not accepted have no event_id, and their fields in `raw`.
   */
  parquet: string
}

export async function openStaging(connection: DuckConnection, folder: string): Promise<Staging> {
  await connection.run(
    `CREATE TABLE judged (event_id UUID, occurred_at TIMESTAMPTZ, user_id VARCHAR, event_type VARCHAR, properties VARCHAR, record BIGINT);
     CREATE TABLE dropped (record BIGINT, day INTEGER)`,
  )
  return { connection, parquet: join(folder, 'staged.parquet') }
}

/** Defines the relations, once the rows are read. @param with_parquet whether there is a staged Parquet file besides the judged rows */
export async function defineRelations(
  { connection, parquet }: Staging,
  with_parquet: boolean,
): Promise<void> {
  const columns = 'event_id, occurred_at, user_id, event_type, properties'
  const read = `SELECT ${columns}, file_row_number AS record FROM read_parquet(${sqlText(parquet)}, file_row_number = true)
    WHERE event_id IS NOT NULL`
  const judged = `SELECT ${columns}, record FROM judged`
  await connection.run(
    `CREATE OR REPLACE VIEW staged AS SELECT *, (epoch_us(occurred_at) // ${MICROS_PER_DAY})::INTEGER AS day
       FROM (${with_parquet ? `${read} UNION ALL ${judged}` : judged});
     CREATE OR REPLACE VIEW fresh AS SELECT * FROM staged ANTI JOIN dropped USING (record)`,
  )
}

export interface JudgedAppender {
  add(event: Event, record: number): void
  close(): void
}

const FLUSH_ROWS = 20_000

/** Adds events that the schema has accepted. */
export async function appendJudged(connection: DuckConnection): Promise<JudgedAppender> {
  const { DuckDBTimestampTZValue } = loadDuckDb()
  const appender = await connection.createAppender('judged')
  let rows = 0
  return {
    add(event, record) {
      appender.appendVarchar(event.event_id)
      appender.appendTimestampTZ(new DuckDBTimestampTZValue(BigInt(event.occurred_at_us)))
      appender.appendVarchar(event.user_id)
      appender.appendVarchar(event.event_type)
      appender.appendVarchar(event.properties)
      appender.appendBigInt(BigInt(record))
      appender.endRow()
      rows += 1
      if (rows % FLUSH_ROWS === 0) appender.flushSync()
    },
    close() {
      appender.closeSync()
    },
  }
}

/** One number from one row. */
export async function queryNumber(connection: DuckConnection, sql: string): Promise<number> {
  return Number((await connection.runAndReadAll(sql)).getRows()[0]![0])
}
