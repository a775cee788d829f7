import { serve } from '../main.ts'
import { createLogger } from '../process/log.ts'
import type { Context } from './command.ts'

/** Serves until SIGTERM or SIGINT. */
export async function serveCommand({ config }: Context): Promise<number> {
  const log = createLogger(config.LOG_LEVEL)
  const service = await serve(config, log)
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name))
  })
  log.info({ signal }, 'stopping')
  await service.close()
  log.info('stopped')
  // Threads that did not end within the limit hold nothing that a crash would lose.
  process.exit(0)
}
