import { modulePath } from './threads.ts'

/**
 * Arguments with which this Node runs one of our commands as a process of its own, as it runs this one: from sources or compiled.
 * @param args such as `['compact', '--json']`
 */
export function commandArgs(args: readonly string[]): string[] {
  return [...process.execArgv, modulePath(import.meta.url, '../cli/main'), ...args]
}
