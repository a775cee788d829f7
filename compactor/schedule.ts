import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { schedule } from 'node-cron'
import type { Config } from '../src/config.ts'
import { commandArgs } from '../src/process/command.ts'
import type { Logger } from '../src/process/log.ts'

/**
 * Runs compactions on a cron schedule, each in a child process: sorting a large day does not block the
 * service, a crash does not stop it, and the memory is returned when the run ends.
 */
export interface Schedule {
  /**
   * Starts no more runs.
   * Asks a running one to stop after its current step, and kills it after the timeout.
   */
  stop(): Promise<void>
  /** Kills a running one at once, for a caller that cannot wait for {@link stop}. */
  kill(): void
}

type Settings = Pick<Config, 'COMPACT_CRON' | 'DATA_DIR' | 'SHUTDOWN_TIMEOUT_MS'>

export function startSchedule(
  { COMPACT_CRON: expression, DATA_DIR, SHUTDOWN_TIMEOUT_MS }: Settings,
  log: Logger,
): Schedule {
  let child: ChildProcess | null = null
  let ended: Promise<void> = Promise.resolve()
  let stopping = false

  function run(): void {
    if (child !== null) {
      log.info('previous compaction still running; this run is skipped')
      return
    }
    // --wait 0: if another process holds the cold lock, the run exits at once.
    // An option may have chosen the store, of which the environment knows nothing.
    child = spawn(process.execPath, commandArgs(['compact', '--json', '--wait', '0']), {
      env: { ...process.env, DATA_DIR },
      // The child logs to stderr.
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    ended = watch(child, log, () => stopping).then(() => {
      child = null
    })
  }

  const task = expression === 'off' ? null : schedule(expression, run)
  return {
    async stop() {
      stopping = true
      await task?.destroy()
      child?.kill('SIGTERM')
      const kill = setTimeout(() => child?.kill('SIGKILL'), SHUTDOWN_TIMEOUT_MS)
      await ended
      clearTimeout(kill)
    },
    kill() {
      child?.kill('SIGKILL')
    },
  }
}

/** Logs the report of a run and how it ended. */
async function watch(child: ChildProcess, log: Logger, stopping: () => boolean): Promise<void> {
  createInterface({ input: child.stdout! }).on('line', (line) =>
    log.info(JSON.parse(line) as object, 'compaction'),
  )
  await new Promise<void>((resolve) => {
    child.once('error', (err) => {
      log.error({ err }, 'compaction could not be started')
      resolve()
    })
    child.once('close', (code, signal) => {
      // A child that gets SIGTERM before it handles signals exits with a signal, which is not a failure.
      if (code !== 0 && stopping()) log.info({ code, signal }, 'compaction stopped by shutdown')
      else if (code !== 0) log.error({ code, signal }, 'compaction failed; rows not yet moved stay in SQLite')
      resolve()
    })
  })
}
