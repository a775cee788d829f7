import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigError } from '../process/config-error.ts'
import { realDisk } from '../store/disk.ts'
import type { ColdDisk } from '../store/disk.ts'

/** The secret that signs tokens: AUTH_JWT_SECRET, or one generated once and kept in DATA_DIR. */

const SECRET_BYTES = 32
const SECRET_FILE = 'auth.secret'
/** Readable only by its owner: with the secret, a token for any user can be signed. */
const MODE = 0o600

/**
 * Returns the secret, and generates it if there is none.
 * @param configured AUTH_JWT_SECRET; empty if it is not set
 * @throws {ConfigError} if other users can read the file, or its content is not valid
 */
export function openSecret(
  data_dir: string,
  configured: string,
  disk: Pick<ColdDisk, 'sync'> = realDisk,
): Buffer {
  if (configured !== '') return Buffer.from(configured)
  const path = join(data_dir, SECRET_FILE)
  return read(path) ?? make(path, disk)
}

function make(path: string, disk: Pick<ColdDisk, 'sync'>): Buffer {
  // Linked after it is complete: no process reads half a secret, and if two start together, one wins.
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  const fd = openSync(draft, 'wx', MODE)
  try {
    writeSync(fd, randomBytes(SECRET_BYTES).toString('base64url'))
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
  // Otherwise a power cut can undo the link, and with it every token that was issued meanwhile.
  disk.sync(dirname(path))
  return read(path)!
}

function read(path: string): Buffer | null {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    if ((fstatSync(fd).mode & 0o077) !== 0) {
      throw new ConfigError(
        `${path} is readable by other users. Run chmod 600 on it, or delete it to invalidate all tokens.`,
      )
    }
    const secret = Buffer.from(readFileSync(fd, 'utf8'), 'base64url')
    if (secret.length === SECRET_BYTES) return secret
    throw new ConfigError(`${path} does not contain a valid secret. Delete it to invalidate all tokens.`)
  } finally {
    closeSync(fd)
  }
}
