import { createTestStore } from '../tests/support/store.ts'
import type { ServiceProcess, TestStore } from '../tests/support/store.ts'
import type { LoadOrder, LoadReport } from './load.ts'
import { machineSeconds, runApart, startApart, threadSeconds } from './process.ts'
import type { Apart } from './process.ts'
import type { StreamOrder, StreamReport } from './stream.ts'

/** Starts the service as a process on a new store, and measures it under load. */

/** Rate limits are off, because the whole load comes from one address. */
const UNLIMITED = { RATE_LIMIT_RPS: 'off', RATE_LIMIT_EPS: 'off' }

export async function withStore<T>(use: (store: TestStore) => Promise<T>): Promise<T> {
  const store = createTestStore()
  try {
    return await use(store)
  } finally {
    await store.remove()
  }
}

/** Starts a service and waits until it is ready and its mirror has all existing rows. */
export async function serve(store: TestStore, env: Record<string, string> = {}): Promise<ServiceProcess> {
  const service = await store.serve({ ...UNLIMITED, ...env })
  const response = await fetch(`${service.url}/stats/top-events?from=2025-01-01&to=2025-01-02`)
  if (response.status !== 200) throw new Error(`the first question was answered with ${response.status}`)
  return service
}

/** Runs the load, and measures the CPU use of the service's threads from its start to its last reply. */
export async function measureLoad(service: Pick<ServiceProcess, 'pid'>, order: LoadOrder) {
  const samples: { at: number; machine_s: number; threads: Map<number, number> }[] = []
  const report = await runApart<LoadReport>('load', order, () =>
    samples.push({ at: performance.now(), machine_s: machineSeconds(), threads: threadSeconds(service.pid) }),
  )
  const [from, to] = [samples[0]!, samples[1]!]
  const wall_s = (to.at - from.at) / 1_000
  const share = (tid: number) => ((to.threads.get(tid) ?? 0) - (from.threads.get(tid) ?? 0)) / wall_s
  const threads = [...to.threads.keys()]
  const service_busy = threads.map(share).reduce((a, b) => a + b, 0)
  const client_busy = report.cpu_s / wall_s
  return {
    ...report,
    main_thread_busy: share(service.pid),
    next_thread_busy: Math.max(0, ...threads.filter((tid) => tid !== service.pid).map(share)),
    service_busy,
    client_busy,
    others_busy: (to.machine_s - from.machine_s) / wall_s - service_busy - client_busy,
  }
}

/** Posts continuously while `act` runs. */
export async function withStream<T>(
  order: StreamOrder,
  act: (nextWindow: () => void) => Promise<T>,
): Promise<{ result: T; report: StreamReport }> {
  const client = await new Promise<Apart<StreamReport>>((resolve, reject) => {
    const begun = startApart<StreamReport>('stream', order, () => resolve(begun))
    // A later failure is reported where the answer is awaited.
    begun.answer.catch(reject)
  })
  try {
    const result = await act(() => client.tell('window'))
    client.tell('stop')
    return { result, report: await client.answer }
  } finally {
    client.tell('stop')
  }
}
