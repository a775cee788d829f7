import { once } from 'node:events'
import type { Benchmark, Case } from './benchmark.ts'
import { forkModule } from './process.ts'
import { measureLoad, serve, withStore } from './service.ts'

/**
 * Number of connections, and the share of a round's events:
 * one event per request, and one connection is slower.
 */
const CONNECTIONS = [
  [1, 0.03],
  [16, 0.2],
] as const
/** As a share of the timed events: V8 has not compiled a new server yet. */
const WARM_UP_SHARE = 0.2

export const requests: Benchmark = {
  name: 'requests',
  question: 'What does a request with one event cost, compared with an HTTP server that does nothing?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds, each case with a new store and new processes. A client process posts requests of one event, ${CONNECTIONS.map(([n, share]) => `${events * share} over ${n}`).join(' and ')} ` +
    'keep-alive connections, as fast as they are answered, after a warm-up with a fifth as many. The limit is the same HTTP server with a handler that reads the body and responds with an ' +
    'empty 200, under the same load in the same round. `with a sync` is that server when it first writes the bodies to one file, overwriting earlier ones, with one fdatasync for all ' +
    'waiting requests.',
  metrics: {
    requests_per_s: { label: 'requests/s', digits: 0 },
    limit_requests_per_s: { label: 'empty server', digits: 0 },
    ratio: { label: 'ratio', digits: 2 },
    synced_requests_per_s: { label: 'with a sync', digits: 0 },
    synced_ratio: { label: 'ratio', digits: 2 },
    request_p50_ms: { label: 'p50, ms', digits: 2 },
    request_p99_ms: { label: 'p99, ms', digits: 2 },
    main_thread_busy: { label: 'main', digits: 2 },
    next_thread_busy: { label: 'next thread', digits: 2 },
    service_busy: { label: 'service', digits: 2 },
    client_busy: { label: 'client', digits: 2 },
  },
  cases: ({ events }) =>
    CONNECTIONS.map(([connections, share]): Case => ({
      label: `${connections} connection${connections === 1 ? '' : 's'}`,
      round: (round) => measure(Math.round(events * share), connections, round),
    })),
}

async function measure(events: number, connections: number, round: number) {
  const warm_up = Math.round(events * WARM_UP_SHARE)
  const load = {
    events: events + warm_up,
    warm_up,
    connections,
    batch: 1,
    id_version: 4,
    events_per_s: null,
  } as const
  const early = round % 2 === 0 ? await measureEmpty(load, []) : null
  const seen = await withStore(async (store) => {
    const service = await serve(store)
    const measured = await measureLoad(service, { ...load, url: service.url, is_counted: true })
    await service.stop()
    return measured
  })
  const limit = early ?? (await measureEmpty(load, []))
  const synced = await measureEmpty(load, ['sync'])
  return {
    ...seen,
    requests_per_s: events / seen.last_reply_s,
    limit_requests_per_s: events / limit.last_reply_s,
    ratio: limit.last_reply_s / seen.last_reply_s,
    synced_requests_per_s: events / synced.last_reply_s,
    synced_ratio: synced.last_reply_s / seen.last_reply_s,
  }
}

type Load = Omit<Parameters<typeof measureLoad>[1], 'url' | 'is_counted'>

async function measureEmpty(load: Load, args: readonly string[]) {
  const child = forkModule('empty-server', args)
  const [url] = (await once(child, 'message')) as [string]
  const measured = await measureLoad({ pid: child.pid! }, { ...load, url, is_counted: false })
  const exited = once(child, 'exit')
  child.disconnect()
  await exited
  return measured
}
