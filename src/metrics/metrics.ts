import type { Context } from 'hono'
import type { Ingest } from '../ingest/ingest.ts'
import type { Commit } from '../ingest/writer-queue.ts'
import type { Logger } from '../process/log.ts'
import type { Queries } from '../query/tier.ts'
import { createMeters, TEXT_TYPE } from './meters.ts'
import { countEvents, countRequests, timeQueries } from './observe.ts'
import type { AnsweredRequest } from './observe.ts'
import { watchProcess } from './process.ts'
import { createRate } from './rate.ts'
import { createScrape } from './scrape.ts'
import { createSources } from './sources.ts'
import type { SourceDeps } from './sources.ts'

/** Connects the metrics of one service to its parts. */
export interface Metrics {
  onCommit(commit: Commit): void
  onWriteFailure(): void
  /** Wraps `ingest` to count its events. */
  countEvents(ingest: Ingest): Ingest
  /** Wraps `query` to measure its duration. */
  timeQueries(query: Queries): Queries
  /** What the routes need; called when the parts that are read at scrape time exist. */
  routes(sources: Omit<SourceDeps, 'accepted' | 'process'>): MetricsRoutes
  stop(): void
}

export interface MetricsRoutes {
  countRequest(request: AnsweredRequest): void
  /** `GET /metrics`. */
  answer(c: Context): Promise<Response>
}

/** Window of `frostline_events_per_second`. */
const RATE_WINDOW_S = 10

/** @param now_ms a monotonic clock */
export function openMetrics(log: Logger, now_ms: () => number = () => performance.now()): Metrics {
  const meters = createMeters()
  const accepted = createRate(RATE_WINDOW_S, now_ms)
  const watch = watchProcess()
  // Starts the series at 0, so that Prometheus sees the first increase.
  meters.add('frostline_write_failures_total', 0, {})

  return {
    onCommit({ events, took_ms }) {
      meters.observe('frostline_commit_events', events, {})
      meters.observe('frostline_commit_duration_seconds', took_ms / 1_000, {})
    },
    onWriteFailure: () => meters.add('frostline_write_failures_total', 1, {}),
    countEvents: (ingest) => countEvents(ingest, meters, accepted),
    timeQueries: (query) => timeQueries(query, meters),
    routes(sources) {
      const scrape = createScrape(meters, createSources({ ...sources, accepted, process: watch }), log)
      return {
        countRequest: countRequests(meters),
        answer: async (c) => c.body(await scrape(), 200, { 'content-type': TEXT_TYPE }),
      }
    },
    stop: () => watch.stop(),
  }
}
