import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { sqlText } from '../src/store/duckdb.ts'
import type { DuckConnection, DuckValue } from '../src/store/duckdb.ts'
import { openLayout } from '../src/store/layout.ts'
import { openStore } from '../src/store/sqlite.ts'
import type { Sqlite } from '../src/store/sqlite.ts'
import { makeFolder, withDuck } from './duck.ts'
import { INSERT } from './fill.ts'
import { runApart } from './process.ts'
import { middleOf, writeRows } from './rows.ts'
import type { Rows } from './rows.ts'
import { withStore } from './service.ts'
import type { PeerOrder } from './stats-peer.ts'

/** The same events in stores of different tiers, and in ClickHouse. Each is made when it is first wanted, and then only asked. */

export const TIERS = ['all hot', 'half and half', 'all cold'] as const
export type Tier = (typeof TIERS)[number]

export interface Stores {
  rows(): Promise<Rows>
  /** @returns its DATA_DIR */
  store(tier: Tier): Promise<string>
  /** @returns the folder of the cold files of the store that is all cold */
  parquet(): Promise<string>
  clickhouse(): Promise<string>
}

export function createStores(count: number): Stores {
  const folder = makeFolder('stats')
  const made = new Map<string, Promise<unknown>>()
  function once<T>(name: string, make: (path: string) => Promise<T>): Promise<T> {
    if (!made.has(name)) made.set(name, make(join(folder, name)))
    return made.get(name) as Promise<T>
  }
  const rows = () =>
    once('rows.parquet', (path) =>
      withDuck(folder, (connection) => writeRows(connection, path, { count, order: 'occurred_at' })),
    )
  const store = (tier: Tier) =>
    once(tier.replaceAll(' ', '-'), async (data_dir) => {
      const source = await rows()
      const hot_from = { 'all hot': source.from, 'half and half': middleOf(source), 'all cold': null }[tier]
      await fillStore(folder, data_dir, source, hot_from)
      return data_dir
    })
  const parquet = async () => openLayout(await store('all cold')).cold
  return {
    rows,
    store,
    parquet,
    clickhouse: () =>
      once('clickhouse', async (path) => {
        const order: PeerOrder = { act: 'fill', folder: path, source: await parquet() }
        await runApart('stats-peer', order)
        return path
      }),
  }
}

/** @param hot_from the first day that is hot; null if none is */
async function fillStore(folder: string, data_dir: string, source: Rows, hot_from: string | null) {
  const { database } = openLayout(data_dir)
  const columns = 'event_id, occurred_at, user_id, event_type, properties'
  const of = (condition: string) =>
    `SELECT ${columns} FROM read_parquet(${sqlText(source.path)}) WHERE ${condition}`
  const hot = hot_from === null ? 'false' : `occurred_at >= TIMESTAMPTZ '${hot_from} 00:00:00+00'`
  await withDuck(folder, async (connection) => {
    const csv = `${data_dir}.csv`
    const cold_rows = await writeCsv(connection, of(`NOT (${hot})`), csv)
    if (cold_rows > 0) await importCsv(data_dir, csv, cold_rows)
    rmSync(csv)
    const db = openStore(database)
    try {
      const hot_rows = await insertRows(db, connection, of(hot))
      if (cold_rows + hot_rows !== source.count)
        throw new Error(`of ${source.count} events ${cold_rows} went to cold and ${hot_rows} to hot`)
    } finally {
      db.close()
    }
  })
}

async function writeCsv(connection: DuckConnection, events: string, csv: string): Promise<number> {
  const { rowsChanged } = await connection.run(
    `COPY (SELECT event_id, strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%fZ') AS occurred_at, user_id, event_type, properties AS properties_json FROM (${events}))
     TO ${sqlText(csv)} (FORMAT csv, HEADER)`,
  )
  return rowsChanged
}

/** The import of the command line, which makes a file for each day. */
function importCsv(data_dir: string, csv: string, rows: number): Promise<void> {
  return withStore(async (store) => {
    const { code, stdout, stderr } = await store.cli(['import', csv, '--json'], { DATA_DIR: data_dir })
    if (code !== 0) throw new Error(`the import ended with ${code}: ${stderr}`)
    const { imported } = JSON.parse(stdout) as { imported: number }
    if (imported !== rows) throw new Error(`imported ${imported} of ${rows}`)
  })
}

/** Straight into SQLite: how events come in is not what is measured here. Returns how many. */
async function insertRows(db: Sqlite, connection: DuckConnection, events: string): Promise<number> {
  const insert = db.prepare(INSERT)
  const insertAll = db.transaction((rows: DuckValue[][]) => {
    for (const [id, ...others] of rows) insert.run((id as { bytes: Uint8Array }).bytes, ...others)
  })
  db.pragma('synchronous = OFF')
  const result = await connection.stream(
    `SELECT * REPLACE (unhex(replace(event_id::VARCHAR, '-', '')) AS event_id, epoch_us(occurred_at) AS occurred_at) FROM (${events})`,
  )
  let count = 0
  for await (const rows of result.yieldRows()) {
    insertAll(rows)
    count += rows.length
  }
  db.pragma('wal_checkpoint(TRUNCATE)')
  return count
}
