import { isatty } from 'node:tty'
import { destination, pino } from 'pino'
import type { Logger } from 'pino'
import { logText } from './log-text.ts'

export type { Logger }

/** `auto`: text on a terminal, JSON otherwise. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Frostline does not log headers. This redacts them if an error of a library contains them. */
const SECRETS = ['authorization', '["x-api-key"]', 'cookie'].flatMap((name) => {
  const key = name.startsWith('[') ? name : `.${name}`
  return ['headers', '*.headers', '*.*.headers'].map((path) => path + key)
})

/**
 * Creates a logger that writes a line of JSON or of text for each entry. Callers must never log what a client sent (bodies,
 * properties, keys).
 * @param fd 1 for a service, 2 for a command whose stdout is data
 */
export function createLogger(level: string, fd: 1 | 2 = 1, format: LogFormat = 'auto'): Logger {
  const out = destination({ fd, sync: true })
  const as_text = format === 'text' || (format === 'auto' && isatty(fd))
  return pino(
    {
      level,
      redact: { paths: SECRETS, censor: '***' },
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    as_text ? { write: (line: string) => out.write(logText(line)) } : out,
  )
}
