import { existsSync } from 'node:fs'
import type { Config } from '../config.ts'
import { realDisk } from '../store/disk.ts'
import { openLayout } from '../store/layout.ts'
import type { Finding } from '../verify/finding.ts'
import { verifyStore } from '../verify/verify.ts'
import { CommandError, EXIT } from './exit.ts'
import { JOB_THREADS } from './jobs.ts'

/** Between two lines of progress. */
const TELL_EVERY_MS = 2_000

/** Checks the store and lists what is wrong; fails if anything is. */
export async function verifyCommand(
  config: Config,
  options: { json: boolean; deep: boolean },
): Promise<number> {
  const layout = openLayout(config.DATA_DIR)
  if (!existsSync(layout.database)) throw new CommandError(`There is no store at ${layout.database}.`)
  const started = performance.now()
  const { files, events, damage, notes } = await verifyStore(
    {
      layout,
      disk: realDisk,
      memory_mb: config.JOB_MEMORY_MB,
      threads: JOB_THREADS,
      onProgress: createTeller((line) => console.error(line)),
    },
    options.deep,
  )
  const took_ms = Math.round(performance.now() - started)
  if (options.json) {
    console.log(JSON.stringify({ deep: options.deep, files, events, damage, notes, took_ms }))
  } else {
    for (const finding of damage) console.log(`damage  ${describe(finding)}`)
    for (const finding of notes) console.log(`note    ${describe(finding)}`)
    const verdict = damage.length === 0 ? 'nothing is damaged' : `${damage.length} findings`
    console.log(`${events} events, ${files} cold files: ${verdict}; ${took_ms} ms.`)
  }
  return damage.length === 0 ? EXIT.done : EXIT.failed
}

function describe({ path, what }: Finding): string {
  return `${path} ${what}`
}

/** Tells of each stage once, and of a long one again from time to time. */
function createTeller(say: (line: string) => void) {
  let stage_told = ''
  let told_ms = 0
  return function tell(stage: string, done: number, total: number): void {
    const now_ms = performance.now()
    if (stage === stage_told && now_ms - told_ms < TELL_EVERY_MS) return
    stage_told = stage
    told_ms = now_ms
    say(`checking ${stage}${total > 1 ? ` ${done}/${total}` : ''}`)
  }
}
