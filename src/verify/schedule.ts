import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
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

/** About 100,000 findings. */
const REPORT_BYTES_MAX = 16 * 1024 * 1024

/** Reads the findings from the output of a check, and ends the check if there are too many; null if it failed. */
async function reportOf(child: ChildProcess): Promise<readonly Finding[] | null> {
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve()).once('close', () => resolve())
  })
  const report = await readReport(child.stdout!, REPORT_BYTES_MAX)
  child.kill('SIGKILL')
  await ended
  return report
}

/**
 * Reads the output of `frostline verify --json`.
 * @returns the findings, or one that says that there are too many to read; null if the output is not a report
 */
export async function readReport(output: Readable, bytes_max: number): Promise<readonly Finding[] | null> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of output as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > bytes_max) return [TOO_MANY]
      parts.push(part)
    }
    return (JSON.parse(Buffer.concat(parts).toString()) as { damage: Finding[] }).damage
  } catch {
    return null
  }
}

const TOO_MANY: Finding = {
  path: 'the store',
  day: null,
  what: 'has more damage than a report holds; run frostline verify to see it',
}
