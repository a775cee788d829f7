import type { Config } from '../config.ts'
import { serve } from '../main.ts'
import type { Service } from '../main.ts'
import type { Logger } from '../process/log.ts'
import { CommandError } from './command.ts'

/** Starting the service for a command. */

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; choose another with --port or PORT',
  EACCES: 'the port needs more rights; choose one above 1023 with --port or PORT',
  EADDRNOTAVAIL: 'this machine has no such address; choose another with --host or HOST',
  ENOTFOUND: 'the name is unknown; choose another with --host or HOST',
}

/** @throws {CommandError} if it cannot listen */
export async function startService(config: Config, log: Logger): Promise<Service> {
  try {
    return await serve(config, log)
  } catch (error) {
    const { syscall, code = '' } = error as NodeJS.ErrnoException
    if (syscall !== 'listen' && syscall !== 'getaddrinfo') throw error
    const reason = REASONS[code] ?? (error as Error).message
    throw new CommandError(`Cannot listen on ${config.HOST} port ${config.PORT}: ${reason}.`, {
      cause: error,
    })
  }
}
