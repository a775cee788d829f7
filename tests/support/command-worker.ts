import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'
import { Readable } from 'node:stream'
import { runCli } from '../../src/cli/cli.ts'
import { openTerminal } from '../../src/cli/terminal.ts'
import type { Command } from './commands.ts'

/** A process that runs one command of the program after another; see commands.ts. */

process.on('disconnect', () => process.exit())
process.on('message', (command: Command) => void run(command))

async function run({ args, env, input, end }: Command): Promise<void> {
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(env, name)) delete process.env[name]
  Object.assign(process.env, env)
  const stdin = input === undefined ? [] : [Buffer.from(input)]
  Object.defineProperty(process, 'stdin', { configurable: true, value: Readable.from(stdin) })
  const code = await runCli(args, openTerminal())
  // What a command leaves behind that would have ended with its process.
  process.stdout.removeAllListeners('error')
  for (const name of ['SIGTERM', 'SIGINT']) process.removeAllListeners(name)
  takeBackPriority()
  process.stderr.write(end)
  process.stdout.write(`${code}${end}`)
}

/** A job gives way to others; the next command is none of it. */
function takeBackPriority(): void {
  if (process.platform !== 'linux') return
  try {
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), 0)
  } catch {
    // Not everybody may: then the rest of the commands are slower.
  }
}
