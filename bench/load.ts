import { isDeepStrictEqual } from 'node:util'
import { postArrivals } from './arrivals.ts'
import type { IdVersion } from './benchmark.ts'
import { openConnection, postRequest } from './client.ts'
import { expectedDau, makeEvents } from './events.ts'
import { serveApart } from './process.ts'
import { quantile } from './statistics.ts'

/**
 * The load client: posts prebuilt requests over keep-alive connections,
 * then queries until all events are counted.
 */

export interface LoadOrder {
  url: string
  events: number
  /** Of `events`, how many are posted before the clock starts: V8 has not compiled a new service yet. */
  warm_up?: number
  /** Events per request. */
  batch: number
  connections: number
  id_version: IdVersion
  /** Arrival rate, independent of replies. Null: a request arrives as soon as a connection is free. */
  events_per_s: number | null
  /** False for a server that stores nothing: replies are not checked, and no query is made. */
  is_counted: boolean
}

export interface LoadReport {
  last_reply_s: number
  /** Until a query counts all events; equals `last_reply_s` if no query was made. */
  countable_s: number
  /** Queries until one counted all events. The service promises 1. */
  questions: number
  /** Since the arrival, including the wait for a free connection. */
  request_p50_ms: number
  request_p99_ms: number
  /** CPU time of the client until the last reply. */
  cpu_s: number
}

serveApart<LoadOrder, LoadReport>(async (order, note) => {
  const { url, events, batch, id_version, is_counted } = order
  const data = makeEvents(events, id_version)
  const requests: Buffer[] = []
  for (let at = 0; at < events; at += batch) {
    const body = Buffer.from(JSON.stringify(data.events.slice(at, at + batch)))
    requests.push(postRequest(`${url}/events`, body))
  }
  const connections = await Promise.all(Array.from({ length: order.connections }, () => openConnection(url)))
  let accepted = 0
  async function postAll(from: number, to: number, interval_ms: number | null) {
    const latencies: number[] = []
    await postArrivals({
      connections,
      started: performance.now(),
      interval_ms,
      requestAt: (n) => (from + n < to ? requests[from + n]! : null),
      onReply({ took_ms, body }) {
        latencies.push(took_ms)
        if (is_counted) accepted += (JSON.parse(body) as { accepted: number }).accepted
      },
    })
    return latencies
  }
  const first = Math.floor((order.warm_up ?? 0) / batch)
  await postAll(0, first, null)

  note('started')
  const started = performance.now()
  const started_cpu = process.cpuUsage()
  const latencies = await postAll(
    first,
    requests.length,
    order.events_per_s === null ? null : (batch / order.events_per_s) * 1_000,
  )
  const last_reply_s = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(started_cpu)
  note('replied')
  for (const connection of connections) connection.close()
  if (is_counted && accepted !== events) throw new Error(`${accepted} of ${events} events were accepted`)
  const questions = is_counted ? await askUntilCounted(url, data) : 0
  return {
    last_reply_s,
    countable_s: is_counted ? (performance.now() - started) / 1_000 : last_reply_s,
    questions,
    request_p50_ms: quantile(latencies, 0.5),
    request_p99_ms: quantile(latencies, 0.99),
    cpu_s: (user + system) / 1_000_000,
  }
})

/** Queries DAU until all events are counted. Returns the number of queries. */
async function askUntilCounted(url: string, data: ReturnType<typeof makeEvents>): Promise<number> {
  const expected = expectedDau(data)
  for (let questions = 1; ; questions += 1) {
    const response = await fetch(`${url}/stats/dau?from=${data.from}&to=${data.to}`)
    const { data: dau, meta } = (await response.json()) as { data: unknown; meta: { hot_events: number } }
    if (response.status !== 200) throw new Error(`the question was answered with ${response.status}`)
    if (isDeepStrictEqual(dau, expected) && meta.hot_events === data.events.length) return questions
  }
}
