import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CommandError } from './command.ts'

/** No password is longer. */
const INPUT_BYTES_MAX = 4_096

/** Asks twice on a terminal, without echo; otherwise reads stdin. Never from an argument: any user can list those of a process. */
export async function readPassword(): Promise<string> {
  if (process.stdin.isTTY !== true) return readPiped()
  const password = await ask('Password: ')
  if ((await ask('Again: ')) !== password)
    throw new CommandError('The passwords differ; nothing was changed.')
  return password
}

async function readPiped(): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > INPUT_BYTES_MAX) throw new CommandError('The text on stdin is too long for a password.')
    parts.push(part)
  }
  // `echo` and most editors add a line break that is not part of the password.
  return Buffer.concat(parts)
    .toString()
    .replace(/\r?\n$/, '')
}

async function ask(question: string): Promise<string> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
  const cancel = new AbortController()
  lines.once('SIGINT', () => cancel.abort())
  try {
    return await lines.question('', { signal: cancel.signal })
  } catch (error) {
    throw new CommandError('Nothing was changed.', { cause: error })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
