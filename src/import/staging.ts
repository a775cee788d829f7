import { join } from 'node:path'
import type { Event } from '../event/event.ts'
import { MICROS_PER_DAY } from '../event/time.ts'
import { loadDuckDb, readParquetSql } from '../store/duckdb.ts'
import type { DuckConnection } from '../store/duckdb.ts'

/**
 * The rows between the imported file and the cold files. Two views select them:
 * `staged (event_id, occurred_at, user_id, event_type, properties, record, day)` has the accepted rows, where
 * `record` is the number of the row in the file, from 0; `fresh` has those that no duplicate check has dropped.
 */
export interface Staging {
  connection: DuckConnection
  /**
   * Path of the rows that the fast reader has staged. It is a Parquet file and not a table, because writing it
   * takes half the time and a third of the memory. A row that was not accepted has a NULL event_id and its
   * fields in `raw`.
   */
  parquet: string
}

/**
 * Creates the tables. `judged` has the rows that the schema has accepted, `doubtful` the rows of the Parquet file that the
 * schema must validate, and `dropped` the duplicates.
 */
export async function openStaging(connection: DuckConnection, folder: string): Promise<Staging> {
  await connection.run(
    `CREATE TABLE judged (event_id UUID, occurred_at TIMESTAMPTZ, user_id VARCHAR, event_type VARCHAR, properties VARCHAR, record BIGINT);
     CREATE TABLE doubtful (record BIGINT);
     CREATE TABLE dropped (record BIGINT, day INTEGER)`,
  )
  return { connection, parquet: join(folder, 'staged.parquet') }
}

/**
 * Defines the views `staged` and `fresh`.
 * @param with_parquet whether they include the rows that the fast reader has staged
 */
export async function defineRelations(
  { connection, parquet }: Staging,
  with_parquet: boolean,
): Promise<void> {
  const columns = 'event_id, occurred_at, user_id, event_type, properties'
  const read = `SELECT ${columns}, file_row_number AS record FROM ${readParquetSql([parquet], 'file_row_number = true')}
    WHERE event_id IS NOT NULL AND file_row_number NOT IN (SELECT record FROM doubtful)`
  const judged = `SELECT ${columns}, record FROM judged`
  await connection.run(
    `CREATE OR REPLACE VIEW staged AS SELECT *, (epoch_us(occurred_at) // ${MICROS_PER_DAY})::INTEGER AS day
       FROM (${with_parquet ? `${read} UNION ALL ${judged}` : judged});
     CREATE OR REPLACE VIEW fresh AS SELECT * FROM staged ANTI JOIN dropped USING (record)`,
  )
}

export interface JudgedAppender {
  /** @param record number of the row in the file, from 0 */
  add(event: Event, record: number): void
  close(): void
}

/** Rows buffered before a flush. */
const FLUSH_ROWS = 20_000

/** Opens an appender for rows that the schema has accepted. The caller closes it. */
export async function appendJudged(connection: DuckConnection): Promise<JudgedAppender> {
  const { DuckDBTimestampTZValue } = await loadDuckDb()
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
