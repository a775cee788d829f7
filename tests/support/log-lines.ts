import { EventEmitter, once } from 'node:events'

/** The log of a service, line by line. */

export type LogLine = Record<string, unknown>

/** A service whose log can be read, in this process or in its own. */
export interface Logging {
  /** All lines so far. */
  readonly log: readonly string[]
  /** Resolves when there are more. */
  logged(): Promise<unknown>
}

export function createLines(): Logging & { add(line: string): void } {
  const log: string[] = []
  const added = new EventEmitter()
  return {
    log,
    logged: () => once(added, 'line'),
    add(line) {
      log.push(line)
      added.emit('line')
    },
  }
}

/** The service's log so far, read. */
export function logOf(service: Logging): LogLine[] {
  return service.log.map((line) => JSON.parse(line) as LogLine)
}

/** Waits until the log has a line for which `test` holds. */
export async function untilLogged(service: Logging, test: (line: LogLine) => boolean): Promise<LogLine> {
  for (;;) {
    const found = logOf(service).find(test)
    if (found !== undefined) return found
    await service.logged()
  }
}
