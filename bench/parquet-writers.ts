import { join } from 'node:path'
import { sqlText } from '../src/store/duckdb.ts'
import type { DuckConnection } from '../src/store/duckdb.ts'
import type { Benchmark, Case } from './benchmark.ts'
import { makeFolder, withDuck } from './duck.ts'
import type { WriterOrder, WriterReport } from './parquet-ways.ts'
import { installedOf } from './peers.ts'
import { runApart } from './process.ts'
import { writeRows } from './rows.ts'

/** Each with all that it can of what DuckDB's files have. */
const WRITERS = [
  { writer: 'duckdb', codec: 'zstd', label: 'DuckDB COPY, zstd, as cold files are written' },
  { writer: 'duckdb', codec: 'snappy', label: 'DuckDB COPY, snappy' },
  { writer: 'hyparquet-writer', codec: 'snappy', label: 'hyparquet-writer, snappy' },
  { writer: 'hyparquet-writer', codec: 'gzip', label: 'hyparquet-writer, gzip of Node' },
  { writer: 'parquetjs-lite', codec: 'snappy', label: 'parquetjs-lite, snappy' },
  { writer: 'parquetjs-lite', codec: 'gzip', label: 'parquetjs-lite, gzip' },
] as const
/** Of the events of a round: fewer would be one row group. */
const EVENTS_FACTOR = 2

export const parquetWriters: Benchmark = {
  name: 'parquet-writers',
  rounds_max: 1,
  question: 'What does each writer of Parquet make of the same rows?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds, each writer in a process of its own. ${events * EVENTS_FACTOR} events, sorted by user and time, lie in memory before the clock starts: for DuckDB (2 threads) ` +
    'as a table, for hyparquet-writer as an array for each column, for parquetjs-lite as objects. Each writes one file with row groups of 122,880 rows and syncs nothing; then DuckDB reads ' +
    'the file, and every value has to be there. DuckDB and hyparquet-writer use dictionaries, parquetjs-lite has none. Of codecs parquetjs-lite has gzip and snappy, hyparquet-writer snappy ' +
    'and any function that is given to it (zstd is part of Node from 22.15 on, so it gets gzip). Memory is the resident peak of the whole process while it writes, and what it held before.',
  metrics: {
    rows_per_s: { label: 'rows/s', digits: 0 },
    bytes_per_event: { label: 'bytes an event', digits: 1 },
    peak_mib: { label: 'peak, MiB', digits: 0 },
    before_mib: { label: 'before writing, MiB', digits: 0 },
  },
  cases({ events }) {
    const installed = ['duckdb', ...installedOf(['hyparquet-writer', 'parquetjs-lite'])]
    const count = events * EVENTS_FACTOR
    const folder = makeFolder('writers')
    const [source, path] = [join(folder, 'rows.parquet'), join(folder, 'written.parquet')]
    let made: Promise<string> | undefined
    return WRITERS.filter(({ writer }) => installed.includes(writer)).map(({ label, ...way }): Case => ({
      label,
      async round() {
        const expected = await (made ??= makeRows(folder, source, count))
        const report = await runApart<WriterReport>('parquet-ways', {
          ...way,
          source,
          path,
        } satisfies WriterOrder)
        const written = await withDuck(folder, (connection) => digest(connection, path))
        if (written !== expected) throw new Error(`${label}: wrote ${written} instead of ${expected}`)
        return {
          rows_per_s: count / report.took_s,
          bytes_per_event: report.bytes / count,
          peak_mib: report.peak_mib,
          before_mib: report.before_mib,
        }
      },
    }))
  },
}

function makeRows(folder: string, path: string, count: number): Promise<string> {
  return withDuck(folder, async (connection) => {
    await writeRows(connection, path, { count, order: 'user_id, occurred_at' })
    return digest(connection, path)
  })
}

/** How many rows there are and what they are, whatever their order. An id is a UUID or, without that type, its 16 bytes. */
async function digest(connection: DuckConnection, path: string): Promise<string> {
  const reader = await connection.runAndReadAll(
    `SELECT count(*), sum(hash(IF(typeof(event_id) = 'BLOB', lower(hex(event_id::BLOB)), replace(event_id::VARCHAR, '-', '')),
       occurred_at, user_id, event_type, properties)) FROM read_parquet(${sqlText(path)})`,
  )
  return reader.getRows()[0]!.join(' rows, digest ')
}
