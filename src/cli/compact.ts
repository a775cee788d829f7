import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { noteRun } from '../../compactor/ledger.ts'
import { runCompaction } from '../../compactor/run.ts'
import { nowMicros } from '../event/time.ts'
import { createLogger } from '../process/log.ts'
import { stopSignal } from '../process/stop.ts'
import { realDisk } from '../store/disk.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import { openStore } from '../store/sqlite.ts'
import { openLayout } from '../store/layout.ts'
import { EXIT } from './command.ts'
import type { Context } from './command.ts'
import { count, duration } from './people.ts'
import { JOB_THREADS } from './store.ts'

/** One compaction run. Succeeds also if another process holds the lock for longer than `wait`: that one moves the same rows. */
export async function compactCommand(
  { config, answer }: Context,
  _: object,
  { wait: wait_s }: { wait: number },
): Promise<number> {
  const log = createLogger(config.LOG_LEVEL, 2, config.LOG_FORMAT)
  const layout = openLayout(config.DATA_DIR)
  const lock = await waitForColdLock(layout, wait_s * 1_000, () =>
    log.info({ wait_s }, 'another process writes cold files; waiting'),
  )
  if (lock === BUSY) {
    answer({ busy: true }, () => 'Nothing was done: another compaction or import is running.')
    return EXIT.done
  }
  giveWay()
  const signal = stopSignal()
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
        signal,
      })
    const report = await noteRun(layout.compactions, run, (err) =>
      log.warn({ err }, 'the compactions cannot be counted'),
    )
    const { rows, days, took_ms } = report
    answer(
      report,
      () => `Moved ${count(rows, 'event')} of ${count(days, 'day')} to cold files in ${duration(took_ms)}.`,
    )
    return EXIT.done
  } finally {
    db.close()
    lock.release()
  }
}

/** Requests come first. Linux has a priority for each thread, and those of Node's pool, where DuckDB works, have started by now. */
function giveWay(): void {
  const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : [process.pid]
  for (const thread of threads) setPriority(thread, constants.priority.PRIORITY_BELOW_NORMAL)
}
