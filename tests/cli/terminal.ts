import { runCli } from '../../src/cli/cli.ts'
import type { Run } from '../support/store.ts'

/** Runs a command line in this process, which takes milliseconds where a process of its own takes a third of a second. */
export async function runHere(words: readonly string[], env: Readonly<Record<string, string>>): Promise<Run> {
  const lines = { stdout: [] as string[], stderr: [] as string[] }
  const code = await runCli(words, {
    env,
    out: (line) => lines.stdout.push(line, '\n'),
    note: (line) => lines.stderr.push(line, '\n'),
  })
  return { code, stdout: lines.stdout.join(''), stderr: lines.stderr.join('') }
}
