import { basename, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownModule, runsFromSources } from './own-files.ts'

/**
 * Node arguments that run a Frostline command in a child process, from sources or compiled like this
 * process.
 * @param args such as `['compact', '--json']`
 */
export function commandArgs(args: readonly string[]): string[] {
  return [...process.execArgv, fileURLToPath(ownModule('cli/main')), ...args]
}

/** How a person runs a Frostline command the way this process was started: in a clone, by npx, or with node. */
export function shellCommand(): string {
  if (runsFromSources()) return 'npm run -s cli --'
  const [, script = ''] = process.argv
  if (basename(script) === 'frostline') return 'npx frostline'
  const below = relative('', script)
  return `node ${below.startsWith('..') ? script : below}`
}
