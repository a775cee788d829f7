import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { startSchedule } from '../compactor/schedule.ts'
import { openAuth } from './auth/auth.ts'
import type { AuthClocks } from './auth/auth.ts'
import { refuseOpenAddress } from './config.ts'
import type { Config } from './config.ts'
import { nowMicros } from './event/time.ts'
import type { Micros } from './event/time.ts'
import { createAdmission } from './http/admission.ts'
import { createApp } from './http/app.ts'
import { createEdge, answerFailure } from './http/edge.ts'
import { findObstacles, refusalOf } from './http/readiness.ts'
import { createBodyReader } from './ingest/body.ts'
import { createIngest } from './ingest/ingest.ts'
import { createJudging } from './ingest/judging.ts'
import { bodyLimits, commitLimits } from './ingest/limits.ts'
import { openSqliteStore } from './ingest/writer-queue.ts'
import { openMetrics } from './metrics/metrics.ts'
import type { Logger } from './process/log.ts'
import { openQueryTier } from './query/tier.ts'
import { sweepSpill } from './store/duckdb.ts'
import { openLayout } from './store/layout.ts'
import { freeBytesOf, watchDiskSpace } from './store/space.ts'
import type { ReadFreeBytes } from './store/space.ts'
import { openStore, openStoreForNotes, openStoreForReading } from './store/sqlite.ts'
import { watchStore } from './store/watch.ts'
import { startVerifySchedule } from './verify/schedule.ts'

/** Wires the service together. */

/** A running service. */
export interface Service {
  url: string
  /**
   * Finishes running requests, commits accepted events and closes everything. Takes at most
   * SHUTDOWN_TIMEOUT_MS.
   */
  close(): Promise<void>
}

/** How often idle connections are closed during shutdown. */
const SWEEP_IDLE_MS = 50

/** Clocks and disk space, so that tests can replace them. */
export interface Seams extends AuthClocks {
  readFreeBytes?: ReadFreeBytes
  /** The wall clock that questions are answered by. */
  now_us?: () => Micros
}

/**
 * Starts the service and listens.
 * @throws {ConfigError} if HOST is open to others and the store has no keys
 * @throws {NodeJS.ErrnoException} with the syscall `listen` or `getaddrinfo` if it cannot listen
 */
export async function serve(
  config: Config,
  log: Logger,
  {
    readFreeBytes = freeBytesOf,
    now_us = nowMicros,
    now_ms = () => performance.now(),
    ...clocks
  }: Seams = {},
): Promise<Service> {
  const layout = openLayout(config.DATA_DIR)
  sweepSpill(layout.spill)
  // Creates or upgrades the schema before the threads open the database.
  openStore(layout.database).close()
  const auth = openAuth(config, layout, log, { now_ms, ...clocks })
  try {
    refuseOpenAddress(config, auth.gate.closed)
  } catch (error) {
    auth.close()
    throw error
  }

  const space = await watchDiskSpace({
    path: config.DATA_DIR,
    floor_bytes: config.DISK_FREE_MIN_MB * 1024 * 1024,
    read: readFreeBytes,
    onChange: (full, free_bytes) =>
      full
        ? log.error({ free_bytes }, 'too little free disk space; events are rejected')
        : log.info({ free_bytes }, 'enough free disk space again; events are accepted'),
    onTrouble: (err) => log.error({ err }, 'cannot read the free disk space'),
  })
  const probing = openStoreForNotes(layout.database)
  const watch = await watchStore({
    path: layout.database,
    db: probing,
    onGone: () =>
      log.fatal('the database file was deleted or replaced; events are refused. Restart the service'),
  })
  let draining = false
  const metrics = openMetrics(log, now_ms)
  const eventStore = openSqliteStore({
    data_dir: config.DATA_DIR,
    memory_mb: config.JOB_MEMORY_MB,
    limits: commitLimits(config),
    queue_events_max: config.WRITE_QUEUE_EVENTS_MAX,
    onCommit(commit) {
      watch.onCommit()
      metrics.onCommit(commit)
    },
    onTrouble(reason) {
      metrics.onWriteFailure()
      log.error({ reason }, 'write failed')
    },
    onRepair: (reason) => log.warn({ reason }, 'rebuilding the index of cold ids from the cold files'),
    onDeath: (err) => log.fatal({ err }, 'the writer thread exited; restart the service'),
  })
  const query = openQueryTier({
    data_dir: config.DATA_DIR,
    threads: config.QUERY_THREADS,
    memory_mb: config.QUERY_MEMORY_MB,
    timeout_ms: config.QUERY_TIMEOUT_MS,
    running_max: config.QUERIES_RUNNING_MAX,
    waiting_max: config.QUERIES_WAITING_MAX,
    onTrouble: (reason) => log.error({ reason }, 'the query engine failed; restarting it'),
  })
  const checks = startVerifySchedule({ interval_s: config.VERIFY_INTERVAL_S, data_dir: config.DATA_DIR, log })
  const judging = createJudging({
    events_max: config.EVENTS_PER_REQUEST_MAX,
    timeout_ms: config.JUDGE_TIMEOUT_MS,
  })
  const ingest = metrics.countEvents(createIngest({ store: eventStore, now_us: nowMicros }))
  const bodies = createBodyReader(bodyLimits(config))
  const reading = openStoreForReading(layout.database)
  const obstacles = () =>
    findObstacles({ draining, eventStore, query, space, watch, stuck_ms: config.WRITE_STUCK_TIMEOUT_MS })
  const app = createApp({
    admission: createAdmission({ ...auth, config, now_ms }),
    gate: auth.gate,
    logins: auth.logins,
    judging,
    ingest,
    bodies,
    refusal: () => refusalOf(space, watch),
    query: metrics.timeQueries(query),
    now_us,
    metrics: metrics.routes({
      layout,
      db: reading,
      eventStore,
      query,
      readFreeBytes: () => readFreeBytes(config.DATA_DIR),
      is_ready: () => obstacles().length === 0,
      findings: () => checks.damage.length,
    }),
    db: reading,
    obstacles,
    damage: () => checks.damage,
    config,
    log,
  })
  const server = createEdge(
    {
      headers_timeout_ms: Math.min(config.HEADERS_TIMEOUT_MS, config.REQUEST_TIMEOUT_MS),
      request_timeout_ms: config.REQUEST_TIMEOUT_MS,
      headers_bytes_max: config.HEADERS_BYTES_MAX,
    },
    getRequestListener(app.fetch, { errorHandler: (error) => answerFailure(error, log) }),
  )
  const url = await listen(server, config).catch(async (error: unknown) => {
    space.stop()
    watch.stop()
    metrics.stop()
    reading.close()
    probing.close()
    auth.close()
    await Promise.all([eventStore.close(), query.close(), checks.stop()])
    throw error
  })
  const schedule = startSchedule(config, log)
  log.info({ url, data_dir: config.DATA_DIR, compact_cron: config.COMPACT_CRON }, 'listening')
  if (!auth.gate.closed) {
    log.warn(
      { host: config.HOST },
      'no keys: every request to this address is accepted; frostline keys create locks it',
    )
  }

  async function drain(): Promise<void> {
    draining = true
    const closed = new Promise((resolve) => {
      server.close(resolve)
    })
    // server.close() closes only connections that are idle now, and waits for those that become idle later.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_IDLE_MS)
    await Promise.all([schedule.stop(), checks.stop(), closed])
    clearInterval(sweep)
    // The writer closes last, because the last connection to close checkpoints the WAL.
    watch.stop()
    probing.close()
    reading.close()
    await Promise.all([query.close(), judging.close()])
    auth.close()
    await eventStore.close()
    space.stop()
    metrics.stop()
  }

  return {
    url,
    async close() {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<'late'>((resolve) => {
        timer = setTimeout(() => resolve('late'), config.SHUTDOWN_TIMEOUT_MS)
      })
      if ((await Promise.race([drain(), late])) === 'late') {
        log.warn(
          { limit_ms: config.SHUTDOWN_TIMEOUT_MS },
          'shutdown timed out with work unfinished; no acknowledged event is lost',
        )
        server.closeAllConnections()
        // A hanging compaction would outlive the service and block every later one.
        schedule.kill()
      }
      clearTimeout(timer)
    },
  }
}

function listen(server: Server, config: Config): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(config.PORT, config.HOST, () => {
      const { port } = server.address() as AddressInfo
      const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST
      resolve(`http://${host}:${port}`)
    })
  })
}
