import type { Context } from 'hono'
import type { Ingest } from '../ingest/ingest.ts'
import type { Commit } from '../ingest/sqlite-store.ts'
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

/** The metrics of one service, from its start to its end. */
export interface Metrics {
  onCommit(commit: Commit): void
  onWriteFailure(): void
  /** The same, counted. */
  countEvents(ingest: Ingest): Ingest
  /** The same, timed. */
  timeQueries(query: Queries): Queries
  /** What the routes need, once there is something to look at. */
  routes(sources: Omit<SourceDeps, 'accepted' | 'process'>): MetricsRoutes
  stop(): void
}

export interface MetricsRoutes {
  countRequest(request: AnsweredRequest): void
  /** `GET /metrics`. */
  answer(c: Context): Promise<Response>
}

/** The time over which events a second are told. */
const RATE_WINDOW_S = 10

/** @param now_ms a clock that never jumps */
export function openMetrics(log: Logger, now_ms: () => number = () => performance.now()): Metrics {
  const meters = createMeters()
  const accepted = createRate(RATE_WINDOW_S, now_ms)
  const watch = watchProcess()
  // From 0 on, so that the first increase is one.
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
