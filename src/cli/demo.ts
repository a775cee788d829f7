import { isClosed } from '../auth/gate.ts'
import { createKey, revokeKey } from '../auth/keys.ts'
import type { Config } from '../config.ts'
import { createDemoClient } from '../demo/client.ts'
import { DEMO_DAYS, describeAnswers, describeDoors, loadDemoData, makeDemoData } from '../demo/run.ts'
import { formatDay, dayOf, nowMicros } from '../event/time.ts'
import { serve } from '../main.ts'
import { createLogger } from '../process/log.ts'
import { compactCommand } from './compact.ts'
import { CommandError, EXIT } from './exit.ts'
import { runImport } from './import.ts'
import { withStore } from './keys.ts'

/** What the demo takes where the environment says nothing: a store of its own, and no log between the lines it prints. */
export function demoEnvironment(env: Readonly<Record<string, string | undefined>>) {
  return {
    ...env,
    DATA_DIR: env['DATA_DIR'] || './data/demo',
    // What a start without keys warns of is printed with the rest.
    LOG_LEVEL: env['LOG_LEVEL'] || 'error',
    // A scheduled run is a process of its own that reads the environment, and would find another store there.
    COMPACT_CRON: 'off',
  }
}

/** How long an import or compaction of another process may take before the demo gives up. */
const WAIT_S = 60

/** Makes the sample data, brings it in by every way there is, and serves it until SIGINT or SIGTERM. */
export async function demoCommand(config: Config, exit: boolean): Promise<number> {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort())
  const { signal } = stop
  // First, so that a taken port is told before anything is written.
  const service = await serve(config, createLogger(config.LOG_LEVEL, 2))
  const lent = lendKey(config)
  try {
    const data = makeDemoData(dayOf(nowMicros()))
    const client = createDemoClient(service.url, lent?.key ?? null)
    const { added, present } = await loadDemoData(data, {
      client,
      importFile: (path) => importSample(config, path),
      compact: () => compactSample(config),
      say: (line) => console.error(line),
      signal,
    })
    console.log(`\nSample data: ${DEMO_DAYS} days, ${formatDay(data.first)} to ${formatDay(data.last)}`)
    console.log(`Added ${added} events; ${present} were there already.`)
    console.log(await describeAnswers(data, client))
    console.log(`\n${describeDoors(data, service.url, config, lent !== null)}`)
    if (exit) return EXIT.done
    console.log(`\nServing ${service.url} until Ctrl-C. In a browser: ${service.url}/docs`)
    await untilAborted(signal)
    return EXIT.done
  } catch (error) {
    if (!signal.aborted) throw error
    throw new CommandError('Stopped before the end; run the demo again, it adds what is missing.', {
      cause: error,
    })
  } finally {
    if (lent !== null) withStore(config, (db) => revokeKey(db, lent.id, nowMicros()))
    await service.close()
  }
}

/** A store that somebody closed lets the demo in with a key for this run; null where none is needed. */
function lendKey(config: Config): { id: number; key: string } | null {
  return withStore(config, (db) =>
    isClosed(db) ? createKey(db, 'demo', ['ingest', 'read'], nowMicros()) : null,
  )
}

async function importSample(config: Config, path: string) {
  const { report } = await runImport(config, path, { strict: true, force: false, wait_s: WAIT_S })
  if (report.rejected > 0) throw new Error(`${report.rejected} rows of the sample data were rejected`)
  return report
}

async function compactSample(config: Config): Promise<void> {
  const code = await compactCommand(config, { json: false, wait_s: WAIT_S })
  if (code !== EXIT.done) throw new Error(`the compaction ended with ${code}`)
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
