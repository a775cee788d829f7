import { cac } from 'cac'
import { ConfigError, readConfig } from '../config.ts'
import { createLogger } from '../process/log.ts'
import { readVersion } from '../process/version.ts'
import { NewerStoreError } from '../store/sqlite.ts'
import { CommandError, EXIT } from './exit.ts'
import { addLetterCommands } from './letter-commands.ts'
import { LISTED, only, scopesOf, seconds } from './options.ts'

/** The command line: data to stdout, progress and logs to stderr; exit 0 done, 1 failed, 2 wrong usage. */

const WAIT_S = 60
/** Commands of two words. The parser knows one word alone, so a group and its verb are made one for it. */
const GROUPS: readonly string[] = ['dead-letters', 'keys', 'users']

interface ImportFlags {
  json?: boolean
  strict?: boolean
  force?: boolean
  wait: number
}

/** Runs one command. @returns the exit code */
export async function runCli(args: readonly string[]): Promise<number> {
  const cli = cac('frostline')
  const json = ['--json', 'One line of JSON on stdout, for machines'] as const
  const wait = [
    '--wait <seconds>',
    'How long to wait while another process writes cold files',
    { default: WAIT_S },
  ] as const

  cli.command('serve', 'Take events, answer questions, compact on schedule').action(async () => {
    const { serveCommand } = await import('./serve.ts')
    return serveCommand(readConfig(process.env))
  })
  cli
    .command('compact', 'Move closed days to cold files once, then exit')
    .option(...json)
    .option(...wait)
    .action(async (options: { json?: boolean; wait: number }) => {
      const { compactCommand } = await import('./compact.ts')
      return compactCommand(readConfig(process.env), {
        json: options.json === true,
        wait_s: seconds(options.wait),
      })
    })
  cli
    .command('import <file>', 'Import a CSV file straight into cold files')
    .option(...json)
    .option('--strict', 'Import nothing if any row is bad')
    .option('--force', 'Import the file also if it was imported before')
    .option('--wait <seconds>', wait[1], { default: 600 })
    .action(async (file: string, options: ImportFlags) => {
      const { importCommand } = await import('./import.ts')
      return importCommand(readConfig(process.env), file, {
        json: options.json === true,
        strict: options.strict === true,
        force: options.force === true,
        wait_s: seconds(options.wait),
      })
    })
  cli
    .command('tiers', 'What lies in hot and in cold')
    .option(...json)
    .action(async (options: { json?: boolean }) => {
      const { tiersCommand } = await import('./tiers.ts')
      return tiersCommand(readConfig(process.env), options.json === true)
    })
  cli
    .command('verify', 'Compare the store with what it says of itself')
    .option('--deep', 'Every byte and every row, and that no event id is stored twice')
    .option(...json)
    .action(async (options: { deep?: boolean; json?: boolean }) => {
      const { verifyCommand } = await import('./verify.ts')
      return verifyCommand(readConfig(process.env), {
        deep: options.deep === true,
        json: options.json === true,
      })
    })
  cli
    .command('demo', 'Make sample data, import and post it, compact, and serve it')
    .option('--exit', 'Stop after printing the answers instead of serving on')
    .action(async (options: { exit?: boolean }) => {
      const { demoCommand, demoEnvironment } = await import('./demo.ts')
      return demoCommand(readConfig(demoEnvironment(process.env)), options.exit === true)
    })
  addLetterCommands(cli, json)
  const scope = ['--scope <scope>', 'ingest, read or admin; several with commas', LISTED] as const
  cli
    .command('keys create', 'Make an API key and print it, once')
    .option(...scope)
    .option('--name <name>', 'What it is for', LISTED)
    .action(async (options: { scope?: string[]; name?: string[] }) => {
      const { createKeyCommand } = await import('./keys.ts')
      return createKeyCommand(readConfig(process.env), scopesOf(options.scope), only('--name', options.name))
    })
  cli
    .command('keys list', 'All API keys, and when each was last used')
    .option(...json)
    .action(async (options: { json?: boolean }) => {
      const { listKeysCommand } = await import('./keys.ts')
      return listKeysCommand(readConfig(process.env), options.json === true)
    })
  cli.command('keys revoke <id>', 'End an API key at once').action(async (id: string) => {
    const { revokeKeyCommand } = await import('./keys.ts')
    return revokeKeyCommand(readConfig(process.env), id)
  })
  cli
    .command('users add <name>', 'Add somebody who may log in; the password is asked for, or read from stdin')
    .option(...scope)
    .action(async (name: string, options: { scope?: string[] }) => {
      const { addUserCommand } = await import('./users.ts')
      return addUserCommand(readConfig(process.env), name, scopesOf(options.scope))
    })
  cli
    .command('users list', 'Everybody who may log in')
    .option(...json)
    .action(async (options: { json?: boolean }) => {
      const { listUsersCommand } = await import('./users.ts')
      return listUsersCommand(readConfig(process.env), options.json === true)
    })
  cli.command('users remove <name>', 'End a login at once').action(async (name: string) => {
    const { removeUserCommand } = await import('./users.ts')
    return removeUserCommand(readConfig(process.env), name)
  })
  // `frostline tiers | head` closes our stdout early; that is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  cli.help()
  cli.version(readVersion())

  try {
    cli.parse(['node', 'frostline', ...withDashes(oneWord(args))], { run: false })
    if (cli.options['help'] === true || cli.options['version'] === true) return EXIT.done
    if (cli.matchedCommand === undefined) {
      const [name] = args
      console.error(
        name === undefined
          ? 'Name a command; frostline --help lists them.'
          : 'Unknown command; frostline --help lists them.',
      )
      return EXIT.usage
    }
    return (await cli.runMatchedCommand()) as number
  } catch (error) {
    if (error instanceof ConfigError || (error instanceof Error && error.name === 'CACError')) {
      console.error(error.message)
      return EXIT.usage
    }
    if (error instanceof CommandError || error instanceof NewerStoreError) {
      console.error(error.message)
      return EXIT.failed
    }
    createLogger('info', 2).fatal({ err: error }, 'failed')
    return EXIT.failed
  }
}

function oneWord(args: readonly string[]): readonly string[] {
  const [group, verb, ...rest] = args
  if (group === undefined || verb === undefined || !GROUPS.includes(group) || verb.startsWith('-'))
    return args
  return [`${group} ${verb}`, ...rest]
}

/** `--event -`: the parser takes a dash alone for another option. */
function withDashes(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg === '-' && isOption(args[i - 1])) return []
    return args[i + 1] === '-' && isOption(arg) ? [`${arg}=-`] : [arg]
  })
}

function isOption(arg: string | undefined): boolean {
  return arg !== undefined && /^--[a-z-]+$/.test(arg)
}
