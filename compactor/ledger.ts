import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as v from 'valibot'
import type { CompactionReport } from './run.ts'

/**
 * What compactions have done so far, whichever process ran them: a file beside the store, for the metrics of the service. Nothing is
 * decided by it, so it is no part of the store; where it is lost, counting begins anew.
 */

const LEDGER = v.object({
  done: v.number(),
  /** Those that were killed are found out by the next one. */
  failed: v.number(),
  /** Moved by those that were done. */
  rows: v.number(),
  seconds: v.number(),
  /** Seconds since 1970; null: never yet. */
  last_success_s: v.nullable(v.number()),
  /** One has begun and not ended. */
  running: v.boolean(),
})

export type Ledger = v.InferOutput<typeof LEDGER>

const NONE: Ledger = { done: 0, failed: 0, rows: 0, seconds: 0, last_success_s: null, running: false }

/** @throws {Error} if it cannot be read */
export function readLedger(path: string): Ledger {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return NONE
  }
  return v.parse(LEDGER, JSON.parse(text))
}

/**
 * Runs a compaction and notes how it ended. The caller holds the cold lock, so nobody else writes here.
 * @param onTrouble the ledger cannot be read or written; the run goes on, because it may be what makes room on the disk
 */
export async function noteRun(
  path: string,
  run: () => Promise<CompactionReport>,
  onTrouble: (error: unknown) => void,
): Promise<CompactionReport> {
  const note = (change: (ledger: Ledger) => Partial<Ledger>) => {
    let ledger = NONE
    try {
      ledger = readLedger(path)
    } catch (error) {
      onTrouble(error)
    }
    try {
      writeLedger(path, { ...ledger, ...change(ledger) })
    } catch (error) {
      onTrouble(error)
    }
  }
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1_000
  note(({ running, failed }) => ({ running: true, failed: running ? failed + 1 : failed }))
  try {
    const report = await run()
    note((ledger) => ({
      running: false,
      done: ledger.done + 1,
      rows: ledger.rows + report.rows,
      seconds: ledger.seconds + seconds(),
      last_success_s: Date.now() / 1_000,
    }))
    return report
  } catch (error) {
    note((ledger) => ({
      running: false,
      failed: ledger.failed + 1,
      seconds: ledger.seconds + seconds(),
    }))
    throw error
  }
}

function writeLedger(path: string, ledger: Ledger): void {
  const half_made = `${path}.new`
  writeFileSync(half_made, `${JSON.stringify(ledger)}\n`, { flush: true })
  renameSync(half_made, path)
}
