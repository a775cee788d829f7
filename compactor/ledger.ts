import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as v from 'valibot'
import type { CompactionReport } from './run.ts'

/**
 * Totals over all compactions of any process, kept in a file in DATA_DIR for the metrics of the service.
 * Nothing depends on it; if it is lost, the counters restart at 0.
 */

const LEDGER = v.object({
  done: v.number(),
  /** A killed run is counted when the next run starts. */
  failed: v.number(),
  /** Rows moved by successful runs. */
  rows: v.number(),
  seconds: v.number(),
  /** Seconds since 1970; null before the first success. */
  last_success_s: v.nullable(v.number()),
  /** A run has started and not ended. */
  running: v.boolean(),
})

export type Ledger = v.InferOutput<typeof LEDGER>

const NONE: Ledger = { done: 0, failed: 0, rows: 0, seconds: 0, last_success_s: null, running: false }

/**
 * Reads the ledger; all zero if the file does not exist.
 * @throws {Error} if the file cannot be read or parsed
 */
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
 * Runs a compaction and records its result. The caller holds the cold lock, so no other process writes the
 * ledger.
 * @param onTrouble called if the ledger cannot be read or written; the run continues, because it may free
 * disk space
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
  const temporary = `${path}.new`
  writeFileSync(temporary, `${JSON.stringify(ledger)}\n`, { flush: true })
  renameSync(temporary, path)
}
