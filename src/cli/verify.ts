import { realDisk } from '../store/disk.ts'
import type { Finding } from '../verify/finding.ts'
import { verifyStore } from '../verify/verify.ts'
import { openLayout } from '../store/layout.ts'
import { EXIT } from './command.ts'
import type { Context } from './command.ts'
import { count, duration } from './people.ts'
import { JOB_THREADS } from './store.ts'

const TELL_EVERY_MS = 2_000

/** Checks the store and lists what is wrong; fails if anything is. */
export async function verifyCommand(
  { config, answer, note }: Context,
  _: object,
  { deep }: { deep: boolean },
): Promise<number> {
  const started = performance.now()
  const { files, events, damage, notes } = await verifyStore(
    {
      layout: openLayout(config.DATA_DIR),
      disk: realDisk,
      memory_mb: config.JOB_MEMORY_MB,
      threads: JOB_THREADS,
      onProgress: createTeller(note),
    },
    deep,
  )
  const took_ms = Math.round(performance.now() - started)
  answer({ deep, files, events, damage, notes, took_ms }, () => {
    const verdict = damage.length === 0 ? 'no damage' : `${count(damage.length, 'finding')} of damage`
    return [
      ...damage.map((finding) => `damage  ${describe(finding)}`),
      ...notes.map((finding) => `note    ${describe(finding)}`),
      `Checked ${count(events, 'event')} and ${count(files, 'cold file')} in ${duration(took_ms)}: ${verdict}.`,
    ].join('\n')
  })
  return damage.length === 0 ? EXIT.done : EXIT.failed
}

function describe({ path, what }: Finding): string {
  return `${path} ${what}`
}

/** Reports each stage once, and a long one again every {@link TELL_EVERY_MS}. */
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
