import { once } from 'node:events'
import type { Benchmark, Case } from './benchmark.ts'
import { forkModule } from './process.ts'
import { measureLoad, serve, withStore } from './service.ts'

/** Each with its share of the events of a round: they are a request each here, and one connection takes five times as long. */
const CONNECTIONS = [
  [1, 0.03],
  [16, 0.2],
] as const
/** Of as many as are timed: a server that has just started is not compiled yet. */
const WARM_UP_SHARE = 0.2

export const requests: Benchmark = {
  name: 'requests',
  question:
    'What does a request with a single event cost, against the same server without a service behind it?',
  method: ({ events, rounds }) =>
    `Median of ${rounds} rounds, each case with a fresh store and fresh processes. A process of its own posts requests of one event, ${CONNECTIONS.map(([n, share]) => `${events * share} over ${n}`).join(' and ')} ` +
    'kept-alive connections as fast as they are answered, after a fifth as many that are not timed. The limit is the same HTTP server with a handler that reads the body and answers an ' +
    'empty 200, under the same load in the same round. `with a sync` is that server when it writes the bodies to one file, over those before, and an fdatasync for all that wait comes before ' +
    'their replies.',
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
