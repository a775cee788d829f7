import { createInterface } from 'node:readline'
import { untilReady } from '../tests/support/store.ts'
import type { Benchmark } from './benchmark.ts'
import { residentMib } from './process.ts'
import { withStore } from './service.ts'

export const start: Benchmark = {
  name: 'start',
  question: 'How fast does an empty service start, and how much memory does it use?',
  method: ({ rounds }) =>
    `Median of ${rounds} starts, each with a new store. Times are from the start of the process until it logs "listening", and until GET /readyz returns 200. Resident memory is measured at that moment.`,
  metrics: {
    listening_ms: { label: 'listening after, ms', digits: 0 },
    ready_ms: { label: 'ready after, ms', digits: 0 },
    resident_mib: { label: 'resident, MiB', digits: 0 },
  },
  cases: () => [{ label: 'start', round: measure }],
}

function measure() {
  return withStore(async (store) => {
    const started = performance.now()
    const service = store.start(['serve'])
    for await (const line of createInterface({ input: service.stdout! })) {
      if (!line.includes('"listening"')) continue
      const listening_ms = performance.now() - started
      await untilReady((JSON.parse(line) as { url: string }).url)
      return {
        listening_ms,
        ready_ms: performance.now() - started,
        resident_mib: residentMib(service.pid!, 'VmRSS'),
      }
    }
    throw new Error('the service exited before it listened')
  })
}
