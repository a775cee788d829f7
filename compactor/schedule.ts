import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { schedule } from 'node-cron'
import { commandArgs } from '../src/process/command.ts'
import type { Logger } from '../src/process/log.ts'

/**
 * Runs compactions by the clock, each in a process of its own: sorting a big day never slows an answer, a crash never takes the
 * service down, and the memory goes back when the run ends.
 */
export interface Schedule {
  /** No new run; asks a running one to stop at its next step, and ends it after the limit. */
  stop(): Promise<void>
  /** Ends a running one at once, for a caller that will not be there any more when the limit has passed. */
  kill(): void
}

/** @param expression a cron expression, or `off` */
export function startSchedule(expression: string, stop_timeout_ms: number, log: Logger): Schedule {
  let child: ChildProcess | null = null
  let ended: Promise<void> = Promise.resolve()
  let stopping = false

  function run(): void {
    if (child !== null) {
      log.info('compaction still running; this turn is left out')
      return
    }
    // A run that finds another one at work leaves at once: its rows are being moved already.
    child = spawn(process.execPath, commandArgs(['compact', '--json', '--wait', '0']), {
      // The run logs JSON lines of its own there.
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
      const kill = setTimeout(() => child?.kill('SIGKILL'), stop_timeout_ms)
      await ended
      clearTimeout(kill)
    },
    kill() {
      child?.kill('SIGKILL')
    },
  }
}

/** Logs what a run did, and how it ended. */
async function watch(child: ChildProcess, log: Logger, stopping: () => boolean): Promise<void> {
  createInterface({ input: child.stdout! }).on('line', (line) => log.info({ report: line }, 'compaction'))
  await new Promise<void>((resolve) => {
    child.once('error', (err) => {
      log.error({ err }, 'compaction could not be started')
      resolve()
    })
    child.once('close', (code, signal) => {
      // A run that is asked to stop before it has begun to listen simply dies. Nothing has failed then.
      if (code !== 0 && stopping()) log.info({ code, signal }, 'compaction ended by the stop')
      else if (code !== 0) log.error({ code, signal }, 'compaction failed; hot rows stay where they are')
      resolve()
    })
  })
}
