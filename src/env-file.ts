import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { ConfigError } from './process/config-error.ts'

/** Reads `.env`, the file of settings in the working directory. */

const ENV_FILE = '.env'

/** `NAME=value`, or with the whole value in quotes, and a comment behind. A blank line, or a comment. */
const LINE =
  /^\s*(?:(?:export\s+)?[A-Za-z_]\w*\s*=\s*(?:"[^"]*"|'[^']*'|`[^`]*`|[^"'`\s][^\n]*)?\s*(?:#.*)?|#.*)?$/

/**
 * The settings of the file; none if there is no file.
 * @throws {ConfigError} if it cannot be read, or a line is no setting. The message never repeats the line: it may hold a secret.
 */
export function readEnvFile(path: string = resolve(ENV_FILE)): Record<string, string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return {}
    throw new ConfigError(`${path} cannot be read: ${message}`)
  }
  const faults = text.split(/\r?\n/).flatMap((line, i) => (LINE.test(line) ? [] : [i + 1]))
  if (faults.length === 0) return parseEnv(text) as Record<string, string>
  throw new ConfigError(`${path}: line ${faults.join(', ')} must be NAME=value, a comment or blank`)
}
