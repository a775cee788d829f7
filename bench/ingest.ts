import { rmSync } from 'node:fs'
import type { Benchmark, Case, IdVersion } from './benchmark.ts'
import { createFilled } from './filled.ts'
import type { Filled } from './filled.ts'
import type { LimitOrder } from './limit.ts'
import { runApart } from './process.ts'
import { measureLoad, serve, withStore } from './service.ts'

interface Load {
  id_version: IdVersion
  batch: number
  connections: number
  hot_rows: number
}

const USUAL: Omit<Load, 'hot_rows'> = { id_version: 4, batch: 1_000, connections: 16 }
const BATCHES = [1, 10, 100, 10_000]
/**
 * Sizes of the hot tier measured with time-ordered ids.
 * SQLite appends such ids to its index, whatever its size.
 */
const TIME_ORDERED_SIZES = 2
/** Share of the events used with one event per request, which is much slower. */
const SINGLE_SHARE = 0.05

export const ingest: Benchmark = {
  name: 'ingest',
  rounds_max: 2,
  question: 'How fast are events ingested over HTTP until a query counts them, compared with SQLite alone?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds, each case with a new store and new processes. A client process posts ${events} events (with one event per request: ` +
    `${events * SINGLE_SHARE}) over loopback as fast as they are answered, then queries DAU until every event is counted. Requests are built before the clock starts. ` +
    'The limit is better-sqlite3 alone with the same rows in the same round: a table with a unique id and the same number of existing rows, 1,000 rows per ' +
    'transaction, WAL, synchronous=FULL, default page size.',
  metrics: {
    events_per_s: { label: 'events/s until counted', digits: 0 },
    replied_per_s: { label: 'until the last reply', digits: 0 },
    limit_rows_per_s: { label: 'SQLite alone', digits: 0 },
    ratio: { label: 'ratio', digits: 2 },
    counted_ms: { label: 'last reply to counted, ms', digits: 0 },
    request_p50_ms: { label: 'p50, ms', digits: 1 },
    request_p99_ms: { label: 'p99, ms', digits: 1 },
    main_thread_busy: { label: 'main', digits: 2 },
    next_thread_busy: { label: 'next thread', digits: 2 },
    service_busy: { label: 'service', digits: 2 },
    client_busy: { label: 'client', digits: 2 },
    others_busy: { label: 'others', digits: 2 },
  },
  cases({ events, hot_rows }) {
    const filled = createFilled()
    const few = hot_rows[0]!
    const loads: Load[] = [
      ...hot_rows.map((rows) => ({ ...USUAL, hot_rows: rows })),
      ...hot_rows
        .slice(0, TIME_ORDERED_SIZES)
        .map((rows) => ({ ...USUAL, id_version: 7 as const, hot_rows: rows })),
      { ...USUAL, connections: 1, hot_rows: few },
      ...BATCHES.map((batch) => ({ ...USUAL, batch, hot_rows: few })),
      { ...USUAL, batch: 1, connections: 1, hot_rows: few },
    ]
    return loads.map((load): Case => ({
      label: labelOf(load),
      round: (round) => measure(load, load.batch === 1 ? events * SINGLE_SHARE : events, filled, round),
    }))
  },
}

function labelOf({ id_version, batch, connections, hot_rows }: Load): string {
  const ids = id_version === 4 ? 'random ids' : 'time-ordered ids'
  return `${ids}, ${batch} a request, ${connections} connection${connections === 1 ? '' : 's'}, ${hot_rows} hot rows`
}

async function measure(load: Load, events: number, filled: Filled, round: number) {
  // The disk's state depends on earlier writes, so the order alternates between rounds.
  const early = round % 2 === 0 ? await measureLimit(load, events, filled) : null
  const { last_reply_s, countable_s, ...seen } = await measureService(load, events, filled)
  const limit_rows_per_s = early ?? (await measureLimit(load, events, filled))
  const events_per_s = events / countable_s
  return {
    ...seen,
    events_per_s,
    replied_per_s: events / last_reply_s,
    limit_rows_per_s,
    ratio: events_per_s / limit_rows_per_s,
    counted_ms: (countable_s - last_reply_s) * 1_000,
  }
}

function measureService({ hot_rows, ...load }: Load, events: number, filled: Filled) {
  return withStore(async (store) => {
    await filled.copyStore(hot_rows, load.id_version, store.data_dir)
    const service = await serve(store)
    const seen = await measureLoad(service, {
      ...load,
      events,
      url: service.url,
      events_per_s: null,
      is_counted: true,
    })
    await service.stop()
    return seen
  })
}

/** Rows per second of better-sqlite3 alone. */
async function measureLimit({ id_version, hot_rows }: Load, events: number, filled: Filled): Promise<number> {
  const database = await filled.copyPlain(hot_rows, id_version)
  const took_s = await runApart<number>('limit', {
    act: 'insert',
    database,
    events,
    id_version,
  } satisfies LimitOrder)
  for (const ending of ['', '-wal', '-shm']) rmSync(database + ending, { force: true })
  return events / took_s
}
