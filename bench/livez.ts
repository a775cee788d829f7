import { setTimeout } from 'node:timers/promises'
import { createTestStore } from '../tests/support/store.ts'
import type { Benchmark, Size } from './benchmark.ts'
import type { LargeBodiesOrder, LargeBodiesReport } from './large-bodies.ts'
import { runApart } from './process.ts'
import { quantile } from './statistics.ts'

const BODY_BYTES = 32 * 1024 * 1024
/** Fixed rate, independent of responses. */
const ASK_EVERY_MS = 10

export const livez: Benchmark = {
  name: 'livez',
  rounds_max: 1,
  question: 'What is the latency of a small request while others send bodies of the maximum size?',
  method: ({ bodies, rounds }) =>
    `Median of ${rounds} rounds, each with a new store. A client process posts ${bodies} bodies of 32 MiB, built beforehand, one after ` +
    `the other. Meanwhile another process sends GET /livez every ${ASK_EVERY_MS} ms over keep-alive connections, independent of responses.`,
  metrics: {
    livez_idle_p99_ms: { label: 'idle: /livez p99, ms', digits: 1 },
    livez_p50_ms: { label: 'during 32 MiB bodies: /livez p50, ms', digits: 1 },
    livez_p99_ms: { label: 'during 32 MiB bodies: /livez p99, ms', digits: 1 },
    livez_most_ms: { label: 'during 32 MiB bodies: /livez max, ms', digits: 1 },
    asked: { label: '/livez requests', digits: 0 },
    body_s: { label: 'one body of 32 MiB, s', digits: 2 },
    events_per_s: { label: 'events/s', digits: 0 },
  },
  cases: (size) => [{ label: 'livez', round: () => measure(size) }],
}

async function measure({ bodies }: Size) {
  const store = createTestStore()
  try {
    const service = await store.serve()
    const idle = askWithoutPause(`${service.url}/livez`)
    await setTimeout(IDLE_MS)
    const idle_ms = await idle.stop()
    let asking: ReturnType<typeof askWithoutPause> | undefined
    const order: LargeBodiesOrder = { url: service.url, body_bytes: BODY_BYTES, bodies }
    const report = await runApart<LargeBodiesReport>('large-bodies', order, () => {
      asking = askWithoutPause(`${service.url}/livez`)
    })
    const took_ms = await asking!.stop()
    await service.stop()
    return {
      livez_idle_p99_ms: quantile(idle_ms, 0.99),
      livez_p50_ms: quantile(took_ms, 0.5),
      livez_p99_ms: quantile(took_ms, 0.99),
      livez_most_ms: Math.max(...took_ms),
      asked: took_ms.length,
      body_s: report.took_s / bodies,
      events_per_s: report.events / report.took_s,
    }
  } finally {
    await store.remove()
  }
}

const IDLE_MS = 3_000

/** Requests a URL at a fixed rate. `stop` waits for all responses and returns their latencies in ms. */
function askWithoutPause(url: string): { stop(): Promise<number[]> } {
  const took_ms: number[] = []
  const asked = new Set<Promise<void>>()
  async function ask(): Promise<void> {
    const from = performance.now()
    const response = await fetch(url)
    await response.arrayBuffer()
    if (response.status !== 200) throw new Error(`/livez was answered with ${response.status}`)
    took_ms.push(performance.now() - from)
  }
  const timer = setInterval(() => asked.add(ask()), ASK_EVERY_MS)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(asked)
      return took_ms
    },
  }
}
