import { createInterface } from 'node:readline'
import { untilReady } from '../tests/support/store.ts'
import type { Benchmark } from './benchmark.ts'
import { residentMib } from './process.ts'
import { withStore } from './service.ts'

export const start: Benchmark = {
  name: 'start',
  question: 'How soon does an empty service answer, and what does it hold?',
  method: ({ rounds }) =>
    `Median of ${rounds} starts, each with a fresh store, timed from the start of the process: until it logs that it listens, and until GET /readyz says 200. Resident memory is that of this moment.`,
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
    throw new Error('the service ended before it listened')
  })
}
