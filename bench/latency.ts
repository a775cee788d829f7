import type { Benchmark, Case } from './benchmark.ts'
import { measureLoad, serve, withStore } from './service.ts'

const LOAD = { connections: 16, id_version: 4, is_counted: true } as const
const BATCHES = [10, 100, 1_000]
/** Share of the top rate. */
const SHARE = 0.5
/**
 * Events posted before the clock starts, as a share of the timed ones:
 * V8 has not compiled a new service yet.
 */
const WARM_UP_SHARE = 0.5

export const latency: Benchmark = {
  name: 'latency',
  question: 'What is the latency of an acknowledgement, and the lag of the event loop?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds, each case with a new store and new processes, random ids, ${LOAD.connections} connections. First ${events} events are posted as fast ` +
    'as they are answered, which gives the top rate. Then the same number is posted to another new store at half of that rate: requests arrive at fixed times, independent of ' +
    'replies, and latency is measured from the arrival. The lag of the event loop is read from GET /metrics after each load. Each service is warmed up with ' +
    'half as many events, which are not timed.',
  metrics: {
    top_events_per_s: { label: 'top rate, events/s', digits: 0 },
    top_loop_p99_ms: { label: 'top rate: event loop p99, ms', digits: 1 },
    half_p50_ms: { label: 'half: p50, ms', digits: 1 },
    half_p99_ms: { label: 'half: p99, ms', digits: 1 },
    half_loop_p99_ms: { label: 'half: event loop p99, ms', digits: 1 },
  },
  cases: ({ events }) =>
    BATCHES.map((batch): Case => ({
      label: `${batch} a request`,
      async round() {
        const count = batch === 10 ? Math.round(events / 5) : events
        const top = await measure(count, batch, null)
        const half = await measure(count, batch, top.events_per_s * SHARE)
        return {
          top_events_per_s: top.events_per_s,
          top_loop_p99_ms: top.loop_p99_ms,
          half_p50_ms: half.request_p50_ms,
          half_p99_ms: half.request_p99_ms,
          half_loop_p99_ms: half.loop_p99_ms,
        }
      },
    })),
}

function measure(events: number, batch: number, events_per_s: number | null) {
  return withStore(async (store) => {
    const service = await serve(store)
    await loopDelay(service.url)
    const warm_up = Math.round((events * WARM_UP_SHARE) / batch) * batch
    const order = { ...LOAD, url: service.url, events: events + warm_up, warm_up, batch, events_per_s }
    const seen = await measureLoad(service, order)
    const loop_p99_ms = await loopDelay(service.url)
    await service.stop()
    return { ...seen, events_per_s: events / seen.last_reply_s, loop_p99_ms }
  })
}

/** Event loop lag in ms, p99 since the last scrape. */
async function loopDelay(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^frostline_event_loop_lag_p99_seconds (.+)$/m.exec(text)![1]) * 1_000
}
