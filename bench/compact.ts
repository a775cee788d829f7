import { setTimeout } from 'node:timers/promises'
import Database from 'better-sqlite3'
import type { CompactionReport } from '../compactor/run.ts'
import { dayOf, nowMicros, parseDay } from '../src/event/time.ts'
import { openLayout } from '../src/store/layout.ts'
import { countOf } from '../tests/support/store.ts'
import type { TestStore } from '../tests/support/store.ts'
import type { Benchmark, Case } from './benchmark.ts'
import { createFilled } from './filled.ts'
import type { Filled } from './filled.ts'
import { watchJob } from './job.ts'
import { measureLoad, serve, withStore, withStream } from './service.ts'

/** Before the days of the load. */
const DAY = parseDay('2025-12-01')!
const RANGE = 'from=2025-12-01&to=2026-12-31'
const LOAD = { batch: 100, connections: 16 } as const
/** Share of the top rate. */
const SHARE = 0.5

export const compact: Benchmark = {
  name: 'compact',
  rounds_max: 1,
  question: 'How fast is a closed day compacted, and how does this affect the latency of ingest?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds. \`frostline compact\` compacts a store with one closed day of hot rows; its own report is the clock. The time until published includes copying, ` +
    'sorting, writing, verifying and fsyncing; the whole time also includes deleting the hot rows. Then a service runs on a copy of that store: ' +
    `${events} events are posted as fast as they are answered, which gives the top rate. Then requests of ${LOAD.batch} events arrive at half of that rate, first alone for as long as ${events} events take, ` +
    'then while the compaction runs. HOT_DAYS is set so that only this day is closed. Latency is measured from the arrival, before and during the compaction.',
  metrics: {
    rows_per_s: { label: 'rows/s', digits: 0 },
    published_rows_per_s: { label: 'until published', digits: 0 },
    beside_rows_per_s: { label: 'during ingest: rows/s', digits: 0 },
    beside_published_rows_per_s: { label: 'until published', digits: 0 },
    events_per_s: { label: 'ingest, events/s', digits: 0 },
    quiet_p99_ms: { label: 'ingest p99 before, ms', digits: 1 },
    beside_p99_ms: { label: 'ingest p99 during, ms', digits: 1 },
    p99_ratio: { label: 'ratio', digits: 2 },
    peak_mib: { label: 'compactor peak, MiB', digits: 0 },
    bytes_per_event: { label: 'bytes/event', digits: 1 },
  },
  cases({ compact_rows, events }) {
    const filled = createFilled()
    return compact_rows.map((rows): Case => ({
      label: `a day of ${rows} rows`,
      round: () => measure(rows, events, filled),
    }))
  },
}

async function measure(rows: number, events: number, filled: Filled) {
  const alone = await withStore((store) => {
    filled.copyDay(rows, DAY, store.data_dir)
    return compactDay(store, rows)
  })
  const beside = await withStore((store) => {
    filled.copyDay(rows, DAY, store.data_dir)
    return compactBeside(store, rows, events)
  })
  return {
    rows_per_s: rows / alone.took_s,
    published_rows_per_s: rows / alone.published_s,
    beside_rows_per_s: rows / beside.took_s,
    beside_published_rows_per_s: rows / beside.published_s,
    events_per_s: beside.events_per_s,
    quiet_p99_ms: beside.quiet_p99_ms,
    beside_p99_ms: beside.beside_p99_ms,
    p99_ratio: beside.beside_p99_ms / beside.quiet_p99_ms,
    peak_mib: alone.peak_mib,
    bytes_per_event: alone.bytes / rows,
  }
}

async function compactBeside(store: TestStore, rows: number, events: number) {
  const service = await serve(store)
  const { url } = service
  const top = await measureLoad(service, {
    ...LOAD,
    url,
    events,
    id_version: 4,
    events_per_s: null,
    is_counted: true,
  })
  const events_per_s = (events / top.last_reply_s) * SHARE
  const { result, report } = await withStream(
    { ...LOAD, url, events_per_s, days: null },
    async (nextWindow) => {
      await setTimeout((events / events_per_s) * 1_000)
      nextWindow()
      return compactDay(store, rows)
    },
  )
  const stored = rows + events + report.accepted
  const counted = await countOf(url, RANGE)
  if (counted !== stored) throw new Error(`${counted} of ${stored} events were counted`)
  await service.stop()
  const [quiet, beside] = report.windows
  return { ...result, events_per_s, quiet_p99_ms: quiet!.p99_ms, beside_p99_ms: beside!.p99_ms }
}

/** Resolution of the time of publication. */
const POLL_MS = 10

/** @throws {Error} if the compaction does not move exactly this day */
async function compactDay(store: TestStore, rows: number) {
  const db = new Database(openLayout(store.data_dir).database, { readonly: true })
  const files = db.prepare('SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM cold_files')
  const seen = () => files.get() as { files: number; bytes: number }
  let published_at: number | null = null
  const timer = setInterval(() => {
    if (published_at === null && seen().files > 0) published_at = performance.now()
  }, POLL_MS)
  try {
    const hot_days = dayOf(nowMicros()) - DAY - 1
    const job = store.start(['compact', '--json'], { HOT_DAYS: String(hot_days) })
    const { report, reported_at, peak_mib } = await watchJob<CompactionReport>(job)
    if (report.rows !== rows || report.collected_rows !== rows)
      throw new Error(`expected ${rows} rows to be moved: ${JSON.stringify(report)}`)
    const took_s = report.took_ms / 1_000
    const published_s = took_s - (reported_at - (published_at ?? reported_at)) / 1_000
    return { took_s, published_s, peak_mib, bytes: seen().bytes }
  } finally {
    clearInterval(timer)
    db.close()
  }
}
