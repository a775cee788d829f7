import type { ChildProcess } from 'node:child_process'
import { finish } from '../tests/support/store.ts'
import { residentMib } from './process.ts'

/** A job of the command line that was started with `--json`, watched from outside until it has ended. */
export interface Job<Report> {
  report: Report
  /** When the report was printed, on this process's clock. */
  reported_at: number
  /** What the process held at the most. */
  peak_mib: number
}

/** The kernel keeps the peak, so only what comes after the last look can be missed. */
const LOOK_EVERY_MS = 20

/** @throws {Error} when the job fails */
export async function watchJob<Report>(job: ChildProcess): Promise<Job<Report>> {
  let peak_mib = 0
  const timer = setInterval(() => {
    peak_mib = Math.max(peak_mib, residentMib(job.pid!, 'VmHWM'))
  }, LOOK_EVERY_MS)
  let reported_at = 0
  job.stdout!.once('data', () => {
    reported_at = performance.now()
  })
  const { code, stdout, stderr } = await finish(job)
  clearInterval(timer)
  if (code !== 0) throw new Error(`the job ended with ${code}: ${stderr}`)
  return { report: JSON.parse(stdout) as Report, reported_at, peak_mib }
}
