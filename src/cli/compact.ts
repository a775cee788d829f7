import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { noteRun } from '../../compactor/ledger.ts'
import { runCompaction } from '../../compactor/run.ts'
import type { Config } from '../config.ts'
import { nowMicros } from '../event/time.ts'
import { createLogger } from '../process/log.ts'
import { realDisk } from '../store/disk.ts'
import { openLayout } from '../store/layout.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import { openStore } from '../store/sqlite.ts'
import { EXIT } from './exit.ts'
import { JOB_THREADS } from './jobs.ts'

/** One compaction run. Leaves with success if another process is at work for longer than `wait_s`: that run moves the same rows. */
export async function compactCommand(
  config: Config,
  options: { json: boolean; wait_s: number },
): Promise<number> {
  const log = createLogger(config.LOG_LEVEL, 2)
  const layout = openLayout(config.DATA_DIR)
  const lock = await waitForColdLock(layout, options.wait_s * 1_000, () =>
    log.info({ wait_s: options.wait_s }, 'another process writes cold files; waiting'),
  )
  if (lock === BUSY) {
    if (options.json) console.log(JSON.stringify({ busy: true }))
    else console.log('Another compaction or import is at work; nothing was done.')
    return EXIT.done
  }
  giveWay()
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort())
  const db = openStore(layout.database)
  try {
    const run = () =>
      runCompaction({
        db,
        layout,
        disk: realDisk,
        log,
        now_us: nowMicros,
        hot_days: config.HOT_DAYS,
        grace_s: config.REPLACED_FILE_GRACE_S,
        memory_mb: config.JOB_MEMORY_MB,
        threads: JOB_THREADS,
        signal: stop.signal,
      })
    const report = await noteRun(layout.compactions, run, (err) =>
      log.warn({ err }, 'the compactions cannot be counted'),
    )
    if (options.json) console.log(JSON.stringify(report))
    else console.log(`${report.rows} events of ${report.days} days moved to cold in ${report.took_ms} ms.`)
    return EXIT.done
  } finally {
    db.close()
    lock.release()
  }
}

/** Whoever waits for a reply comes first. Linux has a priority for each thread, and Node's pool, in which DuckDB works, has started by now. */
function giveWay(): void {
  const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid]
  for (const thread of threads) setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL)
}
