import type { ChildProcess } from 'node:child_process'
import { finish } from '../tests/support/store.ts'
import { residentMib } from './process.ts'

/** The result of a command that was run with `--json`. */
export interface Job<Report> {
  report: Report
  /** Time when the report was printed, from `performance.now()`. */
  reported_at: number
  /** Peak resident memory. */
  peak_mib: number
}

/** The kernel records the peak, so only growth after the last poll is missed. */
const POLL_MS = 20

/**
 * Waits for a command and polls its memory.
 * @throws {Error} if the command fails
 */
export async function watchJob<Report>(job: ChildProcess): Promise<Job<Report>> {
  let peak_mib = 0
  const timer = setInterval(() => {
    peak_mib = Math.max(peak_mib, residentMib(job.pid!, 'VmHWM'))
  }, POLL_MS)
  let reported_at = 0
  job.stdout!.once('data', () => {
    reported_at = performance.now()
  })
  const { code, stdout, stderr } = await finish(job)
  clearInterval(timer)
  if (code !== 0) throw new Error(`the job exited with ${code}: ${stderr}`)
  return { report: JSON.parse(stdout) as Report, reported_at, peak_mib }
}
