import type { Ingest } from '../ingest/ingest.ts'
import { Problem } from '../problem/problem.ts'
import type { Queries } from '../query/tier.ts'
import { questionNamed } from '../questions/table.ts'
import type { Meters } from './meters.ts'
import type { Rate } from './rate.ts'

/** Metrics counted as things happen, by wrapping the counted functions. */

export interface AnsweredRequest {
  method: string
  /** The route template, never the path. */
  route: string
  status: number
  seconds: number
}

/** Other methods are counted together, so that clients cannot create series. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'])

export function countRequests(meters: Meters) {
  return function countRequest({ method: sent, route, status, seconds }: AnsweredRequest): void {
    const method = METHODS.has(sent) ? sent : 'OTHER'
    meters.add('frostline_http_requests_total', 1, { method, route, status })
    meters.observe('frostline_http_request_duration_seconds', seconds, { method, route })
  }
}

interface Outcomes {
  accepted: number
  duplicates: number
  rejected: number
}

/** Counts the events of every reply, including batches rejected as a whole. */
export function countEvents(ingest: Ingest, meters: Meters, rate: Rate): Ingest {
  function count({ accepted, duplicates, rejected }: Outcomes): void {
    meters.add('frostline_events_total', accepted, { outcome: 'accepted' })
    meters.add('frostline_events_total', duplicates, { outcome: 'duplicate' })
    meters.add('frostline_events_total', rejected, { outcome: 'rejected' })
    rate.add(accepted)
  }
  // Starts the series at 0, so that Prometheus sees the first increase.
  count({ accepted: 0, duplicates: 0, rejected: 0 })
  return async function ingestAndCount(batch, request) {
    try {
      const ingested = await ingest(batch, request)
      if (!ingested.replayed) count(ingested.reply)
      return ingested
    } catch (error) {
      // This problem carries the same counts as a reply.
      if (error instanceof Problem && error.code === 'invalid_events') {
        count(error.extra as unknown as Outcomes)
      }
      throw error
    }
  }
}

/** Measures the duration of every query. */
export function timeQueries(query: Queries, meters: Meters): Queries {
  async function time<T>(kind: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const started = performance.now()
    const observe = (outcome: string) => {
      const seconds = (performance.now() - started) / 1_000
      meters.observe('frostline_query_duration_seconds', seconds, { kind, outcome })
    }
    try {
      const answer = await act()
      observe('answered')
      return answer
    } catch (error) {
      observe(signal.aborted ? 'left' : outcomeOf(error))
      throw error
    }
  }
  return {
    ask: (asked, asker) => time(questionNamed(asked.name).kind, asker.signal, () => query.ask(asked, asker)),
    events: (question, format, asker) =>
      time('events', asker.signal, () => query.events(question, format, asker)),
    tiers: (asker) => time('tiers', asker.signal, () => query.tiers(asker)),
  }
}

function outcomeOf(error: unknown): 'timeout' | 'refused' | 'failed' {
  const code = error instanceof Problem ? error.code : null
  if (code === 'query_timeout') return 'timeout'
  return code === 'query_line_full' || code === 'not_ready' ? 'refused' : 'failed'
}
