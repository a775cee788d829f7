import { copyFileSync, rmSync } from 'node:fs'
import { placeSegment, tidyIndex } from '../src/cold/id-index.ts'
import { placeFiles, stageDays } from '../src/cold/parquet.ts'
import { formatDay, parseDay } from '../src/event/time.ts'
import { applyChange } from '../src/store/catalog.ts'
import { realDisk } from '../src/store/disk.ts'
import { openDuck, sqlText } from '../src/store/duckdb.ts'
import { openLayout } from '../src/store/layout.ts'
import type { Layout } from '../src/store/layout.ts'
import { openStore } from '../src/store/sqlite.ts'
import { createTestStore, post } from '../tests/support/store.ts'
import type { TestStore } from '../tests/support/store.ts'
import type { Benchmark, IdVersion, Size } from './benchmark.ts'
import type { LoadOrder, LoadReport } from './load.ts'
import { residentMib, runApart } from './process.ts'
import { median } from './statistics.ts'

const ROWS_PER_DAY = 1_000_000
const REPLAYED = 1_000
/** Before the load, whose events are of 2026. */
const LAST_DAY = parseDay('2025-12-31')!

export const coldIds: Benchmark = {
  name: 'cold-ids',
  rounds_max: 1,
  question: 'What do many cold ids cost at start-up, in memory, and per ingested event?',
  method: ({ events, cold_ids, id_version, pairs }) =>
    `One store has ${cold_ids} cold events with ids of version ${id_version}, ${ROWS_PER_DAY} per day, written with the compactor's functions. Another store is empty. ` +
    `${pairs} times, alternating, each is started as a process and gets ${events} new events over HTTP in requests of 1000 over 8 connections. Figures are medians. ` +
    `Memory is the difference in resident memory between the two processes when they are ready. At the end ${REPLAYED} cold ids of one day are posted in one request.`,
  metrics: {
    empty_events_per_s: { label: 'no cold ids: events/s', digits: 0 },
    full_events_per_s: { label: 'with cold ids: events/s', digits: 0 },
    ratio: { label: 'with / without', digits: 2 },
    empty_start_ms: { label: 'no cold ids: start until ready, ms', digits: 0 },
    full_start_ms: { label: 'with cold ids: start until ready, ms', digits: 0 },
    memory_bytes_per_id: { label: 'memory, bytes/id', digits: 2 },
    disk_bytes_per_id: { label: 'index on disk, bytes/id', digits: 2 },
    segments: { label: 'segments', digits: 0 },
    first_replay_ms: { label: `first request with ${REPLAYED} duplicates, ms`, digits: 0 },
    replay_ms: { label: `second request with ${REPLAYED} duplicates, ms`, digits: 0 },
  },
  cases: (size) => [{ label: 'cold-ids', round: () => measure(size) }],
}

async function measure({ events, cold_ids, id_version, pairs }: Size) {
  const [empty, full] = [createTestStore(), createTestStore()]
  try {
    const { bytes, segments } = await fill(openLayout(full.data_dir), cold_ids, id_version)
    openStore(openLayout(empty.data_dir).database).close()
    const seen: { empty: Seen; full: Seen }[] = []
    for (let pair = 0; pair < pairs; pair += 1) {
      const first = pair % 2 === 0 ? await takeEvents(empty, events) : null
      const of_full = await takeEvents(full, events)
      seen.push({ empty: first ?? (await takeEvents(empty, events)), full: of_full })
    }
    const of = (store: 'empty' | 'full', key: keyof Seen) => median(seen.map((pair) => pair[store][key]))
    return {
      empty_events_per_s: of('empty', 'events_per_s'),
      full_events_per_s: of('full', 'events_per_s'),
      ratio: median(seen.map((pair) => pair.full.events_per_s / pair.empty.events_per_s)),
      empty_start_ms: of('empty', 'start_ms'),
      full_start_ms: of('full', 'start_ms'),
      memory_bytes_per_id: (of('full', 'memory_bytes') - of('empty', 'memory_bytes')) / cold_ids,
      disk_bytes_per_id: bytes / cold_ids,
      segments,
      ...(await replay(full)),
    }
  } finally {
    await empty.remove()
    await full.remove()
  }
}

interface Seen {
  events_per_s: number
  start_ms: number
  memory_bytes: number
}

/**
 * Starts the store and posts the load.
 * Restores the database afterwards, so that the events are new the next time.
 */
async function takeEvents(store: TestStore, events: number): Promise<Seen> {
  const { database } = openLayout(store.data_dir)
  const kept = `${database}.kept`
  copyFileSync(database, kept)
  const started = performance.now()
  const service = await store.serve()
  const start_ms = performance.now() - started
  const memory_bytes = residentMib(service.pid, 'VmRSS') * 1024 ** 2
  const order: LoadOrder = {
    url: service.url,
    events,
    batch: 1_000,
    connections: 8,
    id_version: 4,
    events_per_s: null,
    is_counted: true,
  }
  const { last_reply_s } = await runApart<LoadReport>('load', order)
  await service.stop()
  for (const ending of ['-wal', '-shm']) rmSync(database + ending, { force: true })
  copyFileSync(kept, database)
  return { events_per_s: events / last_reply_s, start_ms, memory_bytes }
}

/**
 * Writes the days with the compactor's functions,
 * and merges the segments after each day as compactions do.
 */
async function fill(
  layout: Layout,
  cold_ids: number,
  id_version: IdVersion,
): Promise<{ bytes: number; segments: number }> {
  const db = openStore(layout.database)
  const duck = await openDuck({ threads: 2, memory_mb: 2_048, spill: layout.spill })
  const connection = await duck.connect()
  const connect = () => Promise.resolve(connection)
  try {
    const days = Math.ceil(cold_ids / ROWS_PER_DAY)
    for (let n = 0; n < days; n += 1) {
      const day = LAST_DAY - days + 1 + n
      const rows = Math.min(ROWS_PER_DAY, cold_ids - n * ROWS_PER_DAY)
      const source = `SELECT ${id_version === 4 ? 'uuid()' : 'uuidv7()'} AS event_id,
        TIMESTAMPTZ '${formatDay(day)} 00:00:00+00' + to_microseconds((i * 86400)::BIGINT) AS occurred_at,
        'user-' || i % 10000 AS user_id, 'page_view' AS event_type, '{}' AS properties FROM range(${rows}) AS r(i)`
      const staged = await stageDays(connection, db, realDisk, layout, [{ day, rows }], source, 'compaction')
      const segment = await placeSegment(realDisk, layout, staged.ids!, 'compaction')
      await placeFiles(realDisk, layout, staged)
      const segments = { add: [segment], remove: [] }
      const seal = [{ day, sealed_through: 0 }]
      db.transaction(() =>
        applyChange(db, { add: staged.files.map(({ file }) => file), remove: [], seal, segments, at_us: 0 }),
      )()
      await tidyIndex({ db, layout, disk: realDisk, connect })
      if ((n + 1) % 10 === 0) console.error(`  ${n + 1} of ${days} days written`)
    }
    const listed = db.prepare('SELECT path FROM id_segments').pluck().all() as string[]
    for (const name of realDisk.list(layout.ids))
      if (!listed.includes(name)) realDisk.remove(`${layout.ids}/${name}`)
    return {
      bytes: listed.reduce((n, name) => n + realDisk.size(`${layout.ids}/${name}`), 0),
      segments: listed.length,
    }
  } finally {
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    connection.closeSync()
    duck.close()
  }
}

/** Posts ids of one cold day with a different day and user. */
async function replay(store: TestStore): Promise<{ first_replay_ms: number; replay_ms: number }> {
  const layout = openLayout(store.data_dir)
  const duck = await openDuck({ threads: 1, memory_mb: 512, spill: layout.spill })
  const connection = await duck.connect()
  const folder = `${layout.cold}/day=${formatDay(LAST_DAY)}`
  const file = `${folder}/${realDisk.list(folder)[0]!}`
  const reader = await connection.runAndReadAll(
    `SELECT event_id::VARCHAR FROM read_parquet(${sqlText(file)}) USING SAMPLE ${2 * REPLAYED} ROWS`,
  )
  connection.closeSync()
  duck.close()
  const ids = reader.getRows().map(([id]) => String(id))
  const service = await store.serve()
  const took_ms: number[] = []
  for (const half of [ids.slice(0, REPLAYED), ids.slice(REPLAYED)]) {
    const asked = performance.now()
    const { json } = await post(
      `${service.url}/events`,
      half.map((event_id) => ({ event_id, occurred_at: '2026-01-05', user_id: 'u', event_type: 't' })),
    )
    took_ms.push(performance.now() - asked)
    if (json['duplicates'] !== half.length) throw new Error(`a replay was stored: ${JSON.stringify(json)}`)
  }
  await service.stop()
  return { first_replay_ms: took_ms[0]!, replay_ms: took_ms[1]! }
}
