import { statSync } from 'node:fs'
import type { ServiceProcess } from '../tests/support/store.ts'
import { openFiles, residentMib } from './process.ts'
import { median } from './statistics.ts'

/** What is looked at again and again while a service works, and must not grow. */
export interface Sample {
  resident_mib: number
  wal_mib: number
  open_files: number
}

export interface Watch {
  /** The medians since it was asked last. */
  takeSamples(): Sample
  /** @returns how long each question took. @throws {Error} when one was not answered with 200 */
  stop(): Promise<number[]>
}

const LOOK_EVERY_MS = 250
const ASK_EVERY_MS = 1_000

/**
 * Looks at the service, and asks it a question a second, unless the last one still waits for its answer.
 * @param questionNow path and search
 */
export function startWatch(
  service: ServiceProcess,
  database: string,
  questionNow: (n: number) => string,
): Watch {
  let samples: Sample[] = []
  function look(): void {
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
      if (response.status !== 200) throw new Error(`it was answered with ${response.status}`)
      took_ms.push(performance.now() - asked)
    } catch (error) {
      failure ??= new Error(`a question failed: ${question}`, { cause: error })
    }
    asking = null
  }
  const looking = setInterval(look, LOOK_EVERY_MS).unref()
  const questions = setInterval(() => (asking ??= ask()), ASK_EVERY_MS).unref()
  return {
    takeSamples() {
      look()
      const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]))
      const taken = {
        resident_mib: of('resident_mib'),
        wal_mib: of('wal_mib'),
        open_files: of('open_files'),
      }
      samples = []
      return taken
    },
    async stop() {
      clearInterval(looking)
      clearInterval(questions)
      await asking
      if (failure !== null) throw failure
      return took_ms
    },
  }
}
