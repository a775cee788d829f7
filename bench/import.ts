import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toCsv } from '../tests/sample.ts'
import { createTestStore } from '../tests/store.ts'
import type { Benchmark, Size } from './benchmark.ts'
import { makeEvents } from './events.ts'
import type { WayOrder, WayReport } from './import-ways.ts'
import { runApart } from './process.ts'

/** A file of this many times the events of a round: a shorter one would measure how fast processes start. */
const EVENTS_FACTOR = 10

export const importing: Benchmark = {
  name: 'import',
  question: 'How close does an import come to DuckDB alone, and what do the other ways of reading CSV cost?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds over one CSV file of ${events * EVENTS_FACTOR} events, each way in a process of its own, in turn. ` +
    'The import is timed by its own report, which begins with the command and ends after the commit; it validates, finds duplicates, ' +
    'verifies and syncs every file. DuckDB alone reads, sorts and writes one file a day and does nothing else.',
  metrics: {
    import_s: { label: 'import, s', digits: 2 },
    duckdb_alone_s: { label: 'DuckDB alone, s', digits: 2 },
    ratio: { label: 'import / DuckDB alone', digits: 2 },
    bytes_per_event: { label: 'cold store, bytes an event', digits: 1 },
    papaparse_alone_s: { label: 'papaparse alone, splitting fields only, s', digits: 2 },
    stage_as_parquet_s: { label: 'DuckDB reads and stages as Parquet, s', digits: 2 },
    stage_as_table_s: { label: 'DuckDB reads and stages as a table, s', digits: 2 },
    stage_as_parquet_mib: { label: 'staging as Parquet, resident MiB', digits: 0 },
    stage_as_table_mib: { label: 'staging as a table, resident MiB', digits: 0 },
  },
  cases: (size) => [{ label: 'import', round: () => measure(size) }],
}

async function measure({ events }: Size) {
  const store = createTestStore()
  try {
    const csv = join(store.dir, 'events.csv')
    const rows = makeEvents(events * EVENTS_FACTOR).events
    writeFileSync(csv, toCsv(rows))
    const runWay = (way: WayOrder['way']) => {
      const folder = join(store.dir, way)
      mkdirSync(folder)
      return runApart<WayReport>('import-ways', { way, csv, folder } satisfies WayOrder)
    }
    const alone = await runWay('duckdb_alone')
    const run = await store.cli(['import', csv, '--json'])
    if (run.code !== 0) throw new Error(`import ended with ${run.code}: ${run.stderr}`)
    const report = JSON.parse(run.stdout) as { imported: number; bytes: number; took_ms: number }
    if (report.imported !== rows.length) throw new Error(`imported ${report.imported} of ${rows.length}`)
    const parquet = await runWay('stage_as_parquet')
    const table = await runWay('stage_as_table')
    const papaparse = await runWay('papaparse_alone')
    const import_s = report.took_ms / 1_000
    return {
      import_s,
      duckdb_alone_s: alone.took_s,
      ratio: import_s / alone.took_s,
      bytes_per_event: report.bytes / rows.length,
      papaparse_alone_s: papaparse.took_s,
      stage_as_parquet_s: parquet.took_s,
      stage_as_table_s: table.took_s,
      stage_as_parquet_mib: parquet.resident_mib,
      stage_as_table_mib: table.resident_mib,
    }
  } finally {
    await store.remove()
  }
}
