import { createTestStore } from '../tests/store.ts'
import type { ServiceProcess } from '../tests/store.ts'
import type { Benchmark } from './benchmark.ts'
import { makeEvents } from './events.ts'
import type { LimitOrder } from './limit.ts'
import type { LoadOrder, LoadReport } from './load.ts'
import { machineSeconds, runApart, threadSeconds } from './process.ts'
import { median } from './statistics.ts'

const BATCH_EVENTS = 1_000
const CONNECTIONS = 8

export const ingest: Benchmark = {
  name: 'ingest',
  question:
    'How fast do events come in over HTTP until a question counts them, and how fast are questions then?',
  method: ({ events, rounds, runs }) =>
    `Median of ${rounds} rounds, each with a fresh store and fresh processes. A process of its own posts ${events} events over loopback: ` +
    `${BATCH_EVENTS} a request, ${CONNECTIONS} connections, bodies made beforehand. Then it asks for DAU until every event is counted. ` +
    `Each question: median of ${runs} runs, timed at the client. The limit is better-sqlite3 alone with the same rows, ` +
    `${BATCH_EVENTS} a transaction, WAL, synchronous=FULL, in the same round.`,
  metrics: {
    reply_events_per_s: { label: 'events/s until the last reply', digits: 0 },
    countable_events_per_s: { label: 'events/s until all are counted', digits: 0 },
    reply_to_countable_ms: { label: 'last reply to counted, ms', digits: 0 },
    questions: { label: 'questions until one counted all', digits: 0 },
    request_p50_ms: { label: 'request p50, ms', digits: 1 },
    request_p99_ms: { label: 'request p99, ms', digits: 1 },
    limit_events_per_s: { label: 'better-sqlite3 alone, rows/s', digits: 0 },
    ratio: { label: 'service / better-sqlite3 alone', digits: 2 },
    main_thread_busy: { label: 'main thread busy, share of one core', digits: 2 },
    next_thread_busy: { label: 'busiest other thread, share of one core', digits: 2 },
    service_busy: { label: 'all threads of the service, cores', digits: 2 },
    client_busy: { label: 'the client, cores', digits: 2 },
    others_busy: { label: 'everything else on the machine, cores (0 is quiet)', digits: 2 },
    hot_dau_ms: { label: 'hot: DAU, ms', digits: 1 },
    hot_top_events_ms: { label: 'hot: top events, ms', digits: 1 },
    hot_retention_ms: { label: 'hot: retention, ms', digits: 1 },
    compact_ms: { label: 'compact, ms', digits: 0 },
    cold_dau_ms: { label: 'cold: DAU, ms', digits: 1 },
    cold_top_events_ms: { label: 'cold: top events, ms', digits: 1 },
    cold_retention_ms: { label: 'cold: retention, ms', digits: 1 },
  },
  async round({ events, runs }, round) {
    const order = { events, batch: BATCH_EVENTS }
    // The disk may remember who wrote before, so the two change places from round to round.
    const early_s = round % 2 === 0 ? await runApart<number>('limit', order satisfies LimitOrder) : null
    const measured = await measureService(events, runs)
    const limit_s = early_s ?? (await runApart<number>('limit', order satisfies LimitOrder))
    return {
      ...measured,
      limit_events_per_s: events / limit_s,
      ratio: measured.reply_events_per_s / (events / limit_s),
    }
  },
}

async function measureService(events: number, runs: number) {
  const store = createTestStore()
  try {
    const service = await store.serve()
    const { busy, report } = await measureLoad(service, {
      url: service.url,
      events,
      batch: BATCH_EVENTS,
      connections: CONNECTIONS,
    })
    const hot = await askAll(service.url, events, runs, 'hot')
    const run = await store.cli(['compact', '--json'])
    if (run.code !== 0) throw new Error(`compact ended with ${run.code}: ${run.stderr}`)
    const { rows, took_ms } = JSON.parse(run.stdout) as { rows: number; took_ms: number }
    if (rows !== events) throw new Error(`compact moved ${rows} of ${events} events`)
    const cold = await askAll(service.url, events, runs, 'cold')
    await service.stop()
    return {
      reply_events_per_s: events / report.last_reply_s,
      countable_events_per_s: events / report.countable_s,
      reply_to_countable_ms: (report.countable_s - report.last_reply_s) * 1_000,
      questions: report.questions,
      request_p50_ms: report.request_p50_ms,
      request_p99_ms: report.request_p99_ms,
      ...busy,
      ...hot,
      compact_ms: took_ms,
      ...cold,
    }
  } finally {
    await store.remove()
  }
}

/** Runs the load, and looks at the service's threads when it begins and when the last reply has come. */
async function measureLoad(service: ServiceProcess, order: LoadOrder) {
  const looks: { at: number; machine_s: number; threads: Map<number, number> }[] = []
  const report = await runApart<LoadReport>('load', order, () =>
    looks.push({ at: performance.now(), machine_s: machineSeconds(), threads: threadSeconds(service.pid) }),
  )
  const [from, to] = [looks[0]!, looks[1]!]
  const wall_s = (to.at - from.at) / 1_000
  const share = (tid: number) => ((to.threads.get(tid) ?? 0) - (from.threads.get(tid) ?? 0)) / wall_s
  const threads = [...to.threads.keys()]
  const service_busy = threads.map(share).reduce((a, b) => a + b, 0)
  const client_busy = report.cpu_s / wall_s
  const busy = {
    main_thread_busy: share(service.pid),
    next_thread_busy: Math.max(0, ...threads.filter((tid) => tid !== service.pid).map(share)),
    service_busy,
    client_busy,
    others_busy: (to.machine_s - from.machine_s) / wall_s - service_busy - client_busy,
  }
  return { report, busy }
}

async function askAll(url: string, events: number, runs: number, tier: 'hot' | 'cold') {
  const { from, to } = makeEvents(events)
  const [dau, top_events, retention] = [
    await ask(`${url}/stats/dau?from=${from}&to=${to}`, runs, events, tier),
    await ask(`${url}/stats/top-events?from=${from}&to=${to}`, runs, events, tier),
    await ask(`${url}/stats/retention?start_date=${from}&windows=7&window=day`, runs, null, tier),
  ]
  return {
    [`${tier}_dau_ms`]: dau,
    [`${tier}_top_events_ms`]: top_events,
    [`${tier}_retention_ms`]: retention,
  }
}

/** @param events how many have to be read in the tier; null where the question is about fewer */
async function ask(url: string, runs: number, events: number | null, tier: 'hot' | 'cold'): Promise<number> {
  const took_ms: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const asked = performance.now()
    const response = await fetch(url)
    const { meta } = (await response.json()) as { meta: Record<string, number> }
    took_ms.push(performance.now() - asked)
    const other = tier === 'hot' ? 'cold' : 'hot'
    if (meta[`${other}_events`] !== 0 || (events !== null && meta[`${tier}_events`] !== events)) {
      throw new Error(`the question did not read everything from ${tier}: ${JSON.stringify(meta)}`)
    }
  }
  return median(took_ms)
}
