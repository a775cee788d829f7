import { readConfig } from '../src/config.ts'
import { readEnvFile } from '../src/env-file.ts'
import { ConfigError } from '../src/process/config-error.ts'
import { createLogger } from '../src/process/log.ts'
import { stopSignal } from '../src/process/stop.ts'
import { startSchedule } from './schedule.ts'

/** Runs only the compaction schedule, as a separate process next to a service with `COMPACT_CRON=off`. */

try {
  const config = readConfig({ ...readEnvFile(), ...process.env })
  const log = createLogger(config.LOG_LEVEL, 1, config.LOG_FORMAT)
  if (config.COMPACT_CRON === 'off')
    throw new ConfigError('COMPACT_CRON is off, so the compactor has nothing to do')
  const schedule = startSchedule(config, log)
  log.info({ data_dir: config.DATA_DIR, compact_cron: config.COMPACT_CRON }, 'compactor started')
  stopSignal().addEventListener('abort', () => void schedule.stop())
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
