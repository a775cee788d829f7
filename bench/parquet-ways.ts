import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { COLD_COLUMNS } from '../src/cold/parquet.ts'
import { sqlText } from '../src/store/duckdb.ts'
import { withDuck } from './duck.ts'
import { importPeer } from './peers.ts'
import { forgetPeak, residentMib, serveApart } from './process.ts'

/**
 * Parquet writers, each in its own process.
 * All rows are in memory, in the writer's input format, before the clock starts.
 */

export interface WriterOrder {
  writer: keyof typeof WRITERS
  codec: 'zstd' | 'snappy' | 'gzip'
  /** Path of a Parquet file with the rows. */
  source: string
  /** Path of the file to write. */
  path: string
}

export interface WriterReport {
  took_s: number
  /** Size of the file. */
  bytes: number
  /** Resident memory before writing. */
  before_mib: number
  peak_mib: number
}

type Timed = Omit<WriterReport, 'bytes'>

/** As in cold files. */
const ROW_GROUP_ROWS = 122_880

async function time(write: () => Promise<unknown>): Promise<Timed> {
  forgetPeak()
  const before_mib = residentMib(process.pid, 'VmHWM')
  const started = performance.now()
  await write()
  const took_s = (performance.now() - started) / 1_000
  return { took_s, before_mib, peak_mib: residentMib(process.pid, 'VmHWM') }
}

const WRITERS = {
  duckdb: ({ codec, source, path }: WriterOrder) =>
    withDuck(dirname(path), async (connection) => {
      await connection.run(
        `CREATE TEMP TABLE source AS SELECT ${COLD_COLUMNS} FROM read_parquet(${sqlText(source)})`,
      )
      return time(() =>
        connection.run(
          `COPY source TO ${sqlText(path)} (FORMAT parquet, COMPRESSION ${codec}, PARQUET_VERSION v2, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`,
        ),
      )
    }),

  async 'hyparquet-writer'({ codec, source, path }: WriterOrder) {
    const { parquetWriteFile } = await importPeer<HyparquetWriter>('hyparquet-writer')
    const [ids, times, ...texts] = await readColumns(source)
    const required = { repetition_type: 'REQUIRED' }
    const names = ['event_id', 'occurred_at', 'user_id', 'event_type', 'properties']
    const columnData = [ids, times, ...texts].map((data, i) => ({ name: names[i]!, data }))
    const schema = [
      { name: 'root', num_children: names.length },
      {
        name: 'event_id',
        type: 'FIXED_LEN_BYTE_ARRAY',
        type_length: 16,
        logical_type: { type: 'UUID' },
        ...required,
      },
      {
        name: 'occurred_at',
        type: 'INT64',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
        ...required,
      },
      ...names.slice(2).map((name) => ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', ...required })),
    ]
    return time(async () =>
      parquetWriteFile({
        filename: path,
        columnData,
        schema,
        codec: codec.toUpperCase(),
        // The package includes only snappy, in JavaScript.
        ...(codec === 'gzip' ? { compressors: { GZIP: gzipSync } } : {}),
        rowGroupSize: ROW_GROUP_ROWS,
      }),
    )
  },

  async 'parquetjs-lite'({ codec, source, path }: WriterOrder) {
    const { default: parquet } = await importPeer<{ default: ParquetjsLite }>('parquetjs-lite')
    const [ids, times, users, types, properties] = await readColumns(source)
    const compression = codec.toUpperCase()
    const text = { type: 'UTF8', compression }
    const schema = new parquet.ParquetSchema({
      event_id: { type: 'FIXED_LEN_BYTE_ARRAY', typeLength: 16, compression },
      occurred_at: { type: 'TIMESTAMP_MICROS', compression },
      user_id: text,
      event_type: text,
      properties: text,
    })
    const rows = ids.map((event_id, i) => ({
      event_id,
      occurred_at: times[i],
      user_id: users[i],
      event_type: types[i],
      properties: properties[i],
    }))
    return time(async () => {
      const writer = await parquet.ParquetWriter.openFile(schema, path, { rowGroupSize: ROW_GROUP_ROWS })
      for (const row of rows) await writer.appendRow(row)
      await writer.close()
    })
  },
} as const

/** The subset of each module that is used. */
interface HyparquetWriter {
  parquetWriteFile(options: object): void
}
interface ParquetjsLite {
  ParquetSchema: new (columns: object) => object
  ParquetWriter: {
    openFile(
      schema: object,
      path: string,
      options: object,
    ): Promise<{ appendRow(row: object): Promise<void>; close(): Promise<void> }>
  }
}

type Columns = [ids: Buffer[], times: bigint[], users: string[], types: string[], properties: string[]]

function readColumns(source: string): Promise<Columns> {
  return withDuck(dirname(source), async (connection) => {
    const reader = await connection.runAndReadAll(
      `SELECT event_id::VARCHAR, epoch_us(occurred_at), user_id, event_type, properties FROM read_parquet(${sqlText(source)})`,
    )
    const [ids, ...others] = reader.getColumns() as [string[], ...unknown[]]
    return [ids.map((id) => Buffer.from(id.replaceAll('-', ''), 'hex')), ...others] as Columns
  })
}

serveApart<WriterOrder, WriterReport>(async (order) => {
  const timed = await WRITERS[order.writer](order)
  return { ...timed, bytes: statSync(order.path).size }
})
