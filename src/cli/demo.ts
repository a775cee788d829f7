import { isClosed } from '../auth/gate.ts'
import { createKey, revokeKey } from '../auth/keys.ts'
import type { Config } from '../config.ts'
import { createDemoClient } from '../demo/client.ts'
import { describeAnswers, describeDoors, loadDemoData, makeDemoData } from '../demo/run.ts'
import { formatDay, dayOf, nowMicros } from '../event/time.ts'
import { shellCommand } from '../process/command.ts'
import { createLogger } from '../process/log.ts'
import { stopSignal, untilAborted } from '../process/stop.ts'
import { openLayout } from '../store/layout.ts'
import { CommandError, EXIT } from './command.ts'
import type { Context } from './command.ts'
import { compactCommand } from './compact.ts'
import { runImport } from './import.ts'
import { count, grouped } from './people.ts'
import { startService } from './service.ts'
import { withStore } from './store.ts'

/** How long an import or compaction of another process may take before the demo gives up. */
const WAIT_S = 60

interface DemoOptions {
  exit: boolean
  /** Days of sample data. */
  days: number
}

/** Creates the sample data, imports and posts it, and serves it until SIGINT or SIGTERM. */
export async function demoCommand(context: Context, _: object, { exit, days }: DemoOptions): Promise<number> {
  const { config, out, note } = context
  const signal = stopSignal()
  // First, so that a taken port is told before anything is written.
  const service = await startService(config, createLogger(config.LOG_LEVEL, 2, config.LOG_FORMAT))
  const lent = lendKey(config)
  try {
    const data = makeDemoData(dayOf(nowMicros()), days)
    const client = createDemoClient(service.url, lent?.key ?? null)
    const { added, present } = await loadDemoData(data, {
      client,
      importFile: (path) => importSample(context, path),
      compact: () => compactSample(context),
      say: note,
      signal,
    })
    out(`\nSample data: ${days} days, ${formatDay(data.first)} to ${formatDay(data.last)}`)
    out(`Added ${count(added, 'event')}; ${grouped(present)} already stored.`)
    out(await describeAnswers(data, client))
    out(`\n${describeDoors(data, service.url, config, shellCommand(), lent !== null)}`)
    if (exit) return EXIT.done
    out(`\nServing ${service.url} until Ctrl-C. In a browser: ${service.url}/docs`)
    await untilAborted(signal)
    return EXIT.done
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CommandError('Stopped before the end; run the demo again, it adds what is missing.', {
      cause: error,
    })
  } finally {
    if (lent !== null) withStore(openLayout(config.DATA_DIR), (db) => revokeKey(db, lent.id, nowMicros()))
    await service.close()
  }
}

/** A key for this run if the store has keys or users; null if it is open. */
function lendKey(config: Config): { id: number; key: string } | null {
  return withStore(openLayout(config.DATA_DIR), (db) =>
    isClosed(db) ? createKey(db, 'demo', ['ingest', 'read'], nowMicros()) : null,
  )
}

async function importSample(context: Context, path: string) {
  const { report } = await runImport(context, path, { strict: true, force: false, wait: WAIT_S })
  if (report.rejected > 0) throw new Error(`${count(report.rejected, 'row')} of the sample data rejected`)
  return report
}

async function compactSample(context: Context): Promise<void> {
  const code = await compactCommand(context, {}, { wait: WAIT_S })
  if (code !== EXIT.done) throw new Error(`the compaction ended with ${code}`)
}
