import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { commandArgs } from '../process/command.ts'
import type { Logger } from '../process/log.ts'
import type { Finding } from './finding.ts'

/**
 * Runs the light check at an interval. It reads the whole database, so it runs in a separate
 * process, which keeps it off the threads of the service. The first check runs after one interval,
 * so that it does not slow down the start.
 */
export interface VerifySchedule {
  /** The first {@link DAMAGE_KEPT_MAX} findings of the last check. */
  readonly damage: readonly Finding[]
  /** Kills a running check, which is safe: a check only reads. */
  stop(): Promise<void>
}

/** A missing folder yields a finding for each of its files; `frostline verify` lists all of them. */
export const DAMAGE_KEPT_MAX = 100

export interface VerifyScheduleOptions {
  /** 0 disables the checks. */
  interval_s: number
  data_dir: string
  log: Logger
}

export function startVerifySchedule({ interval_s, data_dir, log }: VerifyScheduleOptions): VerifySchedule {
  let damage: readonly Finding[] = []
  let child: ChildProcess | null = null
  let ended: Promise<void> = Promise.resolve()
  let stopping = false

  function run(): void {
    if (child !== null) return
    child = spawn(process.execPath, commandArgs(['verify', '--json']), {
      env: { ...process.env, DATA_DIR: data_dir },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    ended = reportOf(child).then((report) => {
      child = null
      if (stopping) return
      if (report === null) log.error('the check of the store failed; run frostline verify to see why')
      else take(report)
    })
  }

  function take(found: readonly Finding[]): void {
    const known = new Set(damage.map(nameOf))
    damage = found.slice(0, DAMAGE_KEPT_MAX)
    for (const finding of damage) {
      if (!known.has(nameOf(finding))) log.error(finding, 'the store is damaged')
    }
    if (found.length === 0 && known.size > 0) log.info('the store is no longer damaged')
  }

  const timer = interval_s === 0 ? undefined : setInterval(run, interval_s * 1_000).unref()
  return {
    get damage() {
      return damage
    },
    async stop() {
      stopping = true
      clearInterval(timer)
      child?.kill('SIGKILL')
      await ended
    },
  }
}

function nameOf({ path, what }: Finding): string {
  return `${path} ${what}`
}

/** Reads the findings from the output of a check; null if the check failed. */
function reportOf(child: ChildProcess): Promise<readonly Finding[] | null> {
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return new Promise((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', () => {
      try {
        resolve((JSON.parse(text) as { damage: Finding[] }).damage)
      } catch {
        resolve(null)
      }
    })
  })
}
