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

/** Before the days of the load's events. */
const DAY = parseDay('2025-12-01')!
const RANGE = 'from=2025-12-01&to=2026-12-31'
const LOAD = { batch: 100, connections: 16 } as const
/** Of the top rate. */
const SHARE = 0.5

export const compact: Benchmark = {
  name: 'compact',
  rounds_max: 1,
  question: 'How fast does a closed day go to cold, and what does ingest feel of it?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds. A store with one closed day of hot rows is compacted by \`frostline compact\`, timed by its own report: until the rows are copied, ` +
    'sorted, written, read again, compared, synced and published, and until the hot rows are deleted too. Then the same with a service on a copy of that store: ' +
    `${events} events as fast as they are answered give its top rate, then requests of ${LOAD.batch} events arrive at half of it for as long as ${events} events take, ` +
    'and go on while the compaction runs. HOT_DAYS is such that only the one day is closed. Their latency is counted from the arrival, before and beside.',
  metrics: {
    rows_per_s: { label: 'rows/s', digits: 0 },
    published_rows_per_s: { label: 'until published', digits: 0 },
    beside_rows_per_s: { label: 'beside ingest: rows/s', digits: 0 },
    beside_published_rows_per_s: { label: 'until published', digits: 0 },
    events_per_s: { label: 'ingest, events/s', digits: 0 },
    quiet_p99_ms: { label: 'its p99, ms', digits: 1 },
    beside_p99_ms: { label: 'p99 beside, ms', digits: 1 },
    p99_ratio: { label: 'ratio', digits: 2 },
    peak_mib: { label: 'compactor at most, MiB', digits: 0 },
    bytes_per_event: { label: 'bytes an event', digits: 1 },
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
  if (counted !== stored) throw new Error(`${counted} of ${stored} events are counted`)
  await service.stop()
  const [quiet, beside] = report.windows
  return { ...result, events_per_s, quiet_p99_ms: quiet!.p99_ms, beside_p99_ms: beside!.p99_ms }
}

/** How exactly the moment of publication is seen. */
const LOOK_EVERY_MS = 10

/** @throws {Error} when it moves anything else than the day */
async function compactDay(store: TestStore, rows: number) {
  const db = new Database(openLayout(store.data_dir).database, { readonly: true })
  const files = db.prepare('SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes FROM cold_files')
  const seen = () => files.get() as { files: number; bytes: number }
  let published_at: number | null = null
  const timer = setInterval(() => {
    if (published_at === null && seen().files > 0) published_at = performance.now()
  }, LOOK_EVERY_MS)
  try {
    const hot_days = dayOf(nowMicros()) - DAY - 1
    const job = store.start(['compact', '--json'], { HOT_DAYS: String(hot_days) })
    const { report, reported_at, peak_mib } = await watchJob<CompactionReport>(job)
    if (report.rows !== rows || report.collected_rows !== rows)
      throw new Error(`${rows} rows were to be moved: ${JSON.stringify(report)}`)
    const took_s = report.took_ms / 1_000
    const published_s = took_s - (reported_at - (published_at ?? reported_at)) / 1_000
    return { took_s, published_s, peak_mib, bytes: seen().bytes }
  } finally {
    clearInterval(timer)
    db.close()
  }
}
