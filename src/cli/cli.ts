import { readConfig } from '../config.ts'
import { readEnvFile } from '../env-file.ts'
import { writeExactJson } from '../event/json.ts'
import { ConfigError } from '../process/config-error.ts'
import { createLogger } from '../process/log.ts'
import { readVersion } from '../process/version.ts'
import { NewerStoreError } from '../store/sqlite.ts'
import { CommandError, EXIT, PROGRAM, UsageError } from './command.ts'
import type { Command, Values } from './command.ts'
import { findCommand } from './find.ts'
import { helpOn, usageOf } from './help.ts'
import { parseWords } from './parse.ts'
import { printable } from './people.ts'
import { requireStore } from './store.ts'
import type { Terminal } from './terminal.ts'

/** Runs one command line. @returns the exit status */
export async function runCli(words: readonly string[], terminal: Terminal): Promise<number> {
  let command: Command | undefined
  try {
    if (words[0] === '--version' || words[0] === '-v') {
      terminal.out(`${PROGRAM} ${readVersion()}`)
      return EXIT.done
    }
    const found = findCommand(words[0] === 'help' ? words.slice(1) : words)
    if (wantsHelp(words)) {
      terminal.out(helpOn(found))
      return EXIT.done
    }
    if (found === null || 'family' in found) throw new UsageError(helpOn(found))
    command = found.command
    return await start(command, found.rest, terminal)
  } catch (error) {
    if (error instanceof UsageError || error instanceof ConfigError) {
      terminal.note(error.message)
      if (error instanceof UsageError && command !== undefined) terminal.note(`Usage: ${usageOf(command)}`)
      return EXIT.usage
    }
    if (error instanceof CommandError || error instanceof NewerStoreError) {
      terminal.note(error.message)
      return EXIT.failed
    }
    createLogger('info', 2).fatal({ err: error }, 'failed')
    return EXIT.failed
  }
}

async function start(
  command: Command,
  words: readonly string[],
  { env, out, note }: Terminal,
): Promise<number> {
  const given = parseWords(command, words)
  const config = readConfig({
    ...readEnvFile(),
    ...(command.environment?.(env) ?? env),
    ...settingsIn(command, given.options),
  })
  const as_json = given.options['json'] === true
  const answer = (value: object, text: () => string) =>
    out(printable(as_json ? writeExactJson(value) : text()))
  if (!command.makes_store) requireStore(config)
  if (!as_json) note(`store: ${printable(config.DATA_DIR)}`)
  const run = await command.load()
  return run({ config, out, note, answer }, given.arguments, given.options)
}

/** The variables that options stand for. */
function settingsIn({ options }: Command, given: Values): Record<string, string> {
  return Object.fromEntries(
    Object.entries(options).flatMap(([name, option]) => {
      const value = given[name]
      return 'sets' in option && option.sets !== undefined && typeof value === 'string'
        ? [[option.sets, value]]
        : []
    }),
  )
}

function wantsHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--')
  const before = end === -1 ? words : words.slice(0, end)
  return words[0] === 'help' || before.includes('--help') || before.includes('-h')
}
