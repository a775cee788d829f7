import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { sample } from './meters.ts'
import type { Sample } from './meters.ts'

/** What is known of the process itself. */
export interface ProcessWatch {
  read(): Promise<Sample[]>
  stop(): void
}

/** Between two looks at how late the event loop is; no shorter delay is seen. */
const LOOK_EVERY_MS = 10

export function watchProcess(): ProcessWatch {
  const delay = monitorEventLoopDelay({ resolution: LOOK_EVERY_MS })
  delay.enable()
  const started_s = Date.now() / 1_000 - process.uptime()
  /** The histogram holds the time from look to look, the pause between them included; 0 when there was none. */
  const late_s = (ns: number) => Math.max(0, ns / 1e9 - LOOK_EVERY_MS / 1e3)
  return {
    async read() {
      // A request that waited for the loop is answered before the histogram's timer has told of that; overdue, it comes before this one.
      await setTimeout(1)
      const { rss, heapUsed, external } = process.memoryUsage()
      const { user, system } = process.cpuUsage()
      const samples = [
        sample('frostline_event_loop_lag_p99_seconds', late_s(delay.percentile(99)), {}),
        sample('frostline_event_loop_lag_max_seconds', late_s(delay.max), {}),
        sample('process_resident_memory_bytes', rss, {}),
        sample('nodejs_heap_size_used_bytes', heapUsed, {}),
        sample('nodejs_external_memory_bytes', external, {}),
        sample('process_cpu_seconds_total', (user + system) / 1e6, {}),
        sample('process_start_time_seconds', started_s, {}),
      ]
      delay.reset()
      return samples
    },
    stop() {
      delay.disable()
    },
  }
}
