import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Benchmark, Case } from './benchmark.ts'
import { writeLargeDays, writeSmallDays } from './csv.ts'
import type { WayOrder, WayReport } from './import-ways.ts'
import { watchJob } from './job.ts'
import { runApart } from './process.ts'
import { withStore } from './service.ts'

const DAYS = 30

export const importing: Benchmark = {
  name: 'import',
  rounds_max: 1,
  question: 'How close is an import to DuckDB alone, and what do other ways of reading CSV cost?',
  method: ({ rounds }) =>
    `Median of ${rounds} rounds with one CSV file per case, each way in its own process, one after the other. A small day has about 3,300 events. ` +
    'The time of the import is that of its own report, from the start of the command until after the commit. It validates rows, detects duplicates, ' +
    'and verifies and fsyncs every file. DuckDB alone only reads, sorts and writes one file per day.',
  metrics: {
    import_s: { label: 'import, s', digits: 2 },
    duckdb_alone_s: { label: 'DuckDB alone, s', digits: 2 },
    ratio: { label: 'import / DuckDB alone', digits: 2 },
    peak_mib: { label: 'import peak, MiB', digits: 0 },
    duckdb_alone_mib: { label: 'DuckDB alone peak, MiB', digits: 0 },
    bytes_per_event: { label: 'cold store, bytes/event', digits: 1 },
    papaparse_alone_s: { label: 'papaparse alone, splitting fields only, s', digits: 2 },
    stage_as_parquet_s: { label: 'DuckDB reads and stages as Parquet, s', digits: 2 },
    stage_as_table_s: { label: 'DuckDB reads and stages as a table, s', digits: 2 },
    stage_as_parquet_mib: { label: 'staging as Parquet, resident MiB', digits: 0 },
    stage_as_table_mib: { label: 'staging as a table, resident MiB', digits: 0 },
  },
  cases({ import_rows }) {
    const folder = mkdtempSync(join(tmpdir(), 'frostline-csv-'))
    process.once('exit', () => rmSync(folder, { recursive: true }))
    return import_rows.map((rows, n): Case => {
      const is_small = n === 0
      const label = is_small ? `${rows} events of small days` : `${rows} events of ${DAYS} days`
      const csv = join(folder, `${n}.csv`)
      return {
        label,
        round(round) {
          if (!existsSync(csv) && is_small) writeSmallDays(csv, rows)
          else if (!existsSync(csv)) writeLargeDays(csv, rows, DAYS)
          return measure(csv, rows, is_small, round)
        },
      }
    })
  },
}

/** @param has_ways also measure the other ways of reading */
function measure(csv: string, rows: number, has_ways: boolean, round: number) {
  return withStore(async (store) => {
    async function runWay(way: WayOrder['way']): Promise<WayReport> {
      const folder = join(store.dir, way)
      mkdirSync(folder)
      const report = await runApart<WayReport>('import-ways', { way, csv, folder } satisfies WayOrder)
      rmSync(folder, { recursive: true })
      return report
    }
    // The disk's state depends on earlier writes, so the order alternates between rounds.
    const early = round % 2 === 0 ? await runWay('duckdb_alone') : null
    const job = store.start(['import', csv, '--json'])
    const { report, peak_mib } = await watchJob<{ imported: number; bytes: number; took_ms: number }>(job)
    if (report.imported !== rows) throw new Error(`imported ${report.imported} of ${rows}`)
    const alone = early ?? (await runWay('duckdb_alone'))
    const import_s = report.took_ms / 1_000
    const measured = {
      import_s,
      duckdb_alone_s: alone.took_s,
      ratio: import_s / alone.took_s,
      peak_mib,
      duckdb_alone_mib: alone.resident_mib,
      bytes_per_event: report.bytes / rows,
    }
    if (!has_ways) return measured
    const parquet = await runWay('stage_as_parquet')
    const table = await runWay('stage_as_table')
    const papaparse = await runWay('papaparse_alone')
    return {
      ...measured,
      papaparse_alone_s: papaparse.took_s,
      stage_as_parquet_s: parquet.took_s,
      stage_as_table_s: table.took_s,
      stage_as_parquet_mib: parquet.resident_mib,
      stage_as_table_mib: table.resident_mib,
    }
  })
}
