import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import papaparse from 'papaparse'
import { openDuck, sqlText } from '../src/store/duckdb.ts'
import type { DuckConnection } from '../src/store/duckdb.ts'
import { serveApart } from './process.ts'

/** Ways to read a CSV file, each in its own process. None validates rows, detects duplicates or fsyncs. */

export interface WayOrder {
  way: keyof typeof WAYS
  csv: string
  folder: string
}

export interface WayReport {
  took_s: number
  resident_mib: number
  /** Bytes written. */
  bytes: number
}

function csvSql(csv: string, id: string, time: string): string {
  return `read_csv(${sqlText(csv)}, header = true, delim = ',', quote = '"', escape = '"', auto_detect = false,
    columns = {'event_id': '${id}', 'occurred_at': '${time}', 'user_id': 'VARCHAR', 'event_type': 'VARCHAR', 'properties_json': 'VARCHAR'})`
}

const typed = (csv: string) =>
  `SELECT try_cast(event_id AS UUID) AS event_id, try_cast(occurred_at AS TIMESTAMPTZ) AS occurred_at, user_id, event_type,
     TRY(json(properties_json)) AS properties FROM ${csvSql(csv, 'VARCHAR', 'VARCHAR')}`

const WAYS = {
  /** The limit: DuckDB writes the result of the import without any checks. */
  async duckdb_alone(connection: DuckConnection, csv: string, folder: string) {
    await connection.run(
      `COPY (SELECT *, occurred_at::DATE AS day FROM ${csvSql(csv, 'UUID', 'TIMESTAMPTZ')} ORDER BY day, user_id, occurred_at)
       TO ${sqlText(join(folder, 'alone'))} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day))`,
    )
    return 0
  },
  async stage_as_parquet(connection: DuckConnection, csv: string, folder: string) {
    const path = join(folder, 'staged.parquet')
    await connection.run(`COPY (${typed(csv)}) TO ${sqlText(path)} (FORMAT parquet, COMPRESSION zstd)`)
    return statSync(path).size
  },
  async stage_as_table(connection: DuckConnection, csv: string, folder: string) {
    await connection.run(`CREATE TABLE staged AS ${typed(csv)}`)
    await connection.run('CHECKPOINT')
    return statSync(join(folder, 'ways.duckdb')).size
  },
  /** Only splits rows into fields. */
  papaparse_alone(_connection: DuckConnection, csv: string) {
    return new Promise<number>((resolve, reject) => {
      papaparse.parse<string[]>(createReadStream(csv, { encoding: 'utf8', highWaterMark: 1 << 20 }), {
        delimiter: ',',
        step: () => {},
        complete: () => resolve(0),
        error: reject,
      })
    })
  },
} as const

serveApart<WayOrder, WayReport>(async ({ way, csv, folder }) => {
  const duck = await openDuck({
    threads: 2,
    memory_mb: 1_024,
    spill: join(folder, 'spill'),
    path: join(folder, 'ways.duckdb'),
  })
  const connection = await duck.connect()
  const started = performance.now()
  const bytes = await WAYS[way](connection, csv, folder)
  const took_s = (performance.now() - started) / 1_000
  connection.closeSync()
  duck.close()
  return { took_s, resident_mib: process.resourceUsage().maxRSS / 1_024, bytes }
})
