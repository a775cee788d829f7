import { createLogger } from '../process/log.ts'
import { stopSignal, untilAborted } from '../process/stop.ts'
import type { Context } from './command.ts'
import { startService } from './service.ts'

/** Serves until SIGTERM or SIGINT. */
export async function serveCommand({ config }: Context): Promise<number> {
  const log = createLogger(config.LOG_LEVEL, 1, config.LOG_FORMAT)
  // First, so that a signal during the start ends in good order too.
  const stop = stopSignal()
  const service = await startService(config, log)
  await untilAborted(stop)
  log.info({ signal: String(stop.reason) }, 'stopping')
  await service.close()
  log.info('stopped')
  // Threads that did not end within the limit hold nothing that a crash would lose.
  process.exit(0)
}
