import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { sample } from './meters.ts'
import type { Sample } from './meters.ts'

/** Metrics of the process: event loop delay, memory, CPU. */
export interface ProcessWatch {
  read(): Promise<Sample[]>
  stop(): void
}

/** Sampling interval of the event loop delay; shorter delays are not seen. */
const SAMPLE_INTERVAL_MS = 10

export function watchProcess(): ProcessWatch {
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_INTERVAL_MS })
  delay.enable()
  const started_s = Date.now() / 1_000 - process.uptime()
  /** The histogram holds the time between samples, including the interval itself. */
  const late_s = (ns: number) => Math.max(0, ns / 1e9 - SAMPLE_INTERVAL_MS / 1e3)
  return {
    async read() {
      // After a blocked event loop, this request can run before the overdue sampling timer. Let
      // that timer fire first.
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
