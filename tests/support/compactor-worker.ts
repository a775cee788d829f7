import { createInterface } from 'node:readline'
import { runCompaction } from '../../compactor/run.ts'
import { realDisk } from '../../src/store/disk.ts'
import { BUSY, waitForColdLock } from '../../src/store/lock.ts'
import { openLayout } from '../../src/store/layout.ts'
import { createLogger } from '../../src/process/log.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { nowMicros } from '../../src/event/time.ts'

/**
 * A process that makes one compaction run for each line it reads, a number of seconds to wait for the lock, and prints the report of each.
 * It is started once and runs many times, so that two of them really start together. Argument: the store's folder.
 */

const layout = openLayout(process.argv[2]!)
const log = createLogger('silent')
const signal = new AbortController().signal

for await (const line of createInterface({ input: process.stdin })) {
  const lock = await waitForColdLock(layout, Number(line) * 1_000)
  if (lock === BUSY) {
    console.log(JSON.stringify({ busy: true }))
    continue
  }
  const db = openStore(layout.database)
  try {
    const limits = { hot_days: 0, grace_s: 0, memory_mb: 512, threads: 1 }
    const report = await runCompaction({
      db,
      layout,
      disk: realDisk,
      log,
      now_us: nowMicros,
      signal,
      ...limits,
    })
    console.log(JSON.stringify(report))
  } finally {
    db.close()
    lock.release()
  }
}
