import type { Logger } from '../process/log.ts'
import type { Meters } from './meters.ts'
import type { Source } from './sources.ts'

/** A disk that does not answer must not keep the rest back. */
const SOURCE_TIMEOUT_MS = 2_000

/**
 * Reads all sources and makes the text. What a source cannot tell is left out, and the log says so once. Those who ask at the same time
 * get the same text.
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
