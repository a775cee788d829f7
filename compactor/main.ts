import { ConfigError, readConfig } from '../src/config.ts'
import { createLogger } from '../src/process/log.ts'
import { startSchedule } from './schedule.ts'

/** Runs only the compaction schedule, as a separate process next to a service with `COMPACT_CRON=off`. */

try {
  const config = readConfig(process.env)
  const log = createLogger(config.LOG_LEVEL)
  if (config.COMPACT_CRON === 'off')
    throw new ConfigError('COMPACT_CRON is off, so the compactor has nothing to do')
  const schedule = startSchedule(config.COMPACT_CRON, config.SHUTDOWN_TIMEOUT_MS, log)
  log.info({ data_dir: config.DATA_DIR, compact_cron: config.COMPACT_CRON }, 'compactor started')
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void schedule.stop())
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
