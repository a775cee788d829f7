import { destination, pino } from 'pino'
import type { Logger } from 'pino'

export type { Logger }

/**
 * JSON lines. What a client sent (bodies, properties, keys) is never given to the logger.
 * @param fd 1 for a service, 2 for a command whose stdout is data
 */
export function createLogger(level: string, fd: 1 | 2 = 1): Logger {
  return pino(
    { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    destination({ fd, sync: true }),
  )
}
