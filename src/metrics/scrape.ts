import type { Logger } from '../process/log.ts'
import type { Meters } from './meters.ts'
import type { Source } from './sources.ts'

/** A hanging disk must not delay the other metrics. */
const SOURCE_TIMEOUT_MS = 2_000

/**
 * Returns a function that reads all sources and renders the text. The metrics of a failing source
 * are left out, and logged once. Concurrent scrapes share one text.
 */
export function createScrape(meters: Meters, sources: readonly Source[], log: Logger): () => Promise<string> {
  const troubled = new Set<string>()

  async function samplesOf({ name, read }: Source) {
    try {
      const samples = await inTime(read)
      troubled.delete(name)
      return samples
    } catch (err) {
      if (!troubled.has(name)) log.error({ err, source: name }, 'metrics are left out')
      troubled.add(name)
      return []
    }
  }

  async function makeText(): Promise<string> {
    meters.put((await Promise.all(sources.map(samplesOf))).flat())
    return meters.text()
  }

  let making: Promise<string> | null = null
  return function scrape() {
    making ??= makeText().finally(() => {
      making = null
    })
    return making
  }
}

async function inTime<T>(read: () => T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${SOURCE_TIMEOUT_MS} ms`)), SOURCE_TIMEOUT_MS)
  })
  try {
    return await Promise.race([read(), late])
  } finally {
    clearTimeout(timer)
  }
}
