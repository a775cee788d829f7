import { destination, pino } from 'pino'
import type { Logger } from 'pino'

export type { Logger }

/** Frostline does not log headers. This redacts them if an error of a library contains them. */
const SECRETS = ['authorization', '["x-api-key"]', 'cookie'].flatMap((name) => {
  const key = name.startsWith('[') ? name : `.${name}`
  return ['headers', '*.headers', '*.*.headers'].map((path) => path + key)
})

/**
 * Creates a logger that writes JSON lines. Callers must never log what a client sent (bodies,
 * properties, keys).
 * @param fd 1 for a service, 2 for a command whose stdout is data
 */
export function createLogger(level: string, fd: 1 | 2 = 1): Logger {
  return pino(
    {
      level,
      redact: { paths: SECRETS, censor: '***' },
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    destination({ fd, sync: true }),
  )
}
