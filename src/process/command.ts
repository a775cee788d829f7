import { modulePath } from './threads.ts'

/**
 * Node arguments that run a Frostline command in a child process, from sources or compiled like this
 * process.
 * @param args such as `['compact', '--json']`
 */
export function commandArgs(args: readonly string[]): string[] {
  return [...process.execArgv, modulePath(import.meta.url, '../cli/main'), ...args]
}
