import { statSync } from 'node:fs'
import type { ServiceProcess } from '../tests/support/store.ts'
import { openFiles, residentMib } from './process.ts'
import { median } from './statistics.ts'

/** Figures that must not grow while a service runs. */
export interface Sample {
  resident_mib: number
  wal_mib: number
  open_files: number
}

export interface Watch {
  /** Returns the medians since the last call. */
  takeSamples(): Sample
  /**
   * Returns the latency of each query in ms.
   * @throws {Error} if a query failed
   */
  stop(): Promise<number[]>
}

const SAMPLE_EVERY_MS = 250
const ASK_EVERY_MS = 1_000

/**
 * Samples the service, and sends it one query per second unless the previous one is still running.
 * @param questionNow returns path and query string of the next query
 */
export function startWatch(
  service: ServiceProcess,
  database: string,
  questionNow: (n: number) => string,
): Watch {
  let samples: Sample[] = []
  function sample(): void {
    samples.push({
      resident_mib: residentMib(service.pid, 'VmRSS'),
      wal_mib: (statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0) / 1024 ** 2,
      open_files: openFiles(service.pid),
    })
  }
  const took_ms: number[] = []
  let failure: Error | null = null
  let asking: Promise<void> | null = null
  async function ask(): Promise<void> {
    const asked = performance.now()
    const question = questionNow(took_ms.length)
    try {
      const response = await fetch(service.url + question)
      await response.arrayBuffer()
      if (response.status !== 200) throw new Error(`the status is ${response.status}`)
      took_ms.push(performance.now() - asked)
    } catch (error) {
      failure ??= new Error(`a query failed: ${question}`, { cause: error })
    }
    asking = null
  }
  const sampling = setInterval(sample, SAMPLE_EVERY_MS).unref()
  const questions = setInterval(() => (asking ??= ask()), ASK_EVERY_MS).unref()
  return {
    takeSamples() {
      sample()
      const of = (key: keyof Sample) => median(samples.map((each) => each[key]))
      const taken = {
        resident_mib: of('resident_mib'),
        wal_mib: of('wal_mib'),
        open_files: of('open_files'),
      }
      samples = []
      return taken
    },
    async stop() {
      clearInterval(sampling)
      clearInterval(questions)
      await asking
      if (failure !== null) throw failure
      return took_ms
    },
  }
}
