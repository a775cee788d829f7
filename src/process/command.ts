import { basename, relative } from 'node:path'
import { modulePath } from './threads.ts'

/**
 * Node arguments that run a Frostline command in a child process, from sources or compiled like this
 * process.
 * @param args such as `['compact', '--json']`
 */
export function commandArgs(args: readonly string[]): string[] {
  return [...process.execArgv, modulePath(import.meta.url, '../cli/main'), ...args]
}

/** How a person runs a Frostline command the way this process was started: in a clone, by npx, or with node. */
export function shellCommand(): string {
  if (import.meta.url.endsWith('.ts')) return 'npm run -s cli --'
  const [, script = ''] = process.argv
  if (basename(script) === 'frostline') return 'npx frostline'
  const below = relative('', script)
  return `node ${below.startsWith('..') ? script : below}`
}
