import { randomBytes } from 'node:crypto'
import { closeSync, fstatSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../config.ts'

/** What tokens are signed with: from the configuration, or made once and kept beside the store. */

const SECRET_BYTES = 32
const SECRET_FILE = 'auth.secret'
/** Nobody but the owner may read it: whoever can, can log in as everybody. */
const MODE = 0o600

/**
 * @param configured AUTH_JWT_SECRET; empty when it is not set
 * @throws {ConfigError} when others may read the file, or it is not what was written
 */
export function openSecret(data_dir: string, configured: string): Buffer {
  if (configured !== '') return Buffer.from(configured)
  const path = join(data_dir, SECRET_FILE)
  return read(path) ?? make(path)
}

function make(path: string): Buffer {
  // Linked when it is whole: nobody ever reads half a secret, and of two that start together one wins.
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
      throw new ConfigError(`${path} can be read by others; chmod 600 it, or delete it to end all logins.`)
    }
    const secret = Buffer.from(readFileSync(fd, 'utf8'), 'base64url')
    if (secret.length === SECRET_BYTES) return secret
    throw new ConfigError(`${path} is not a secret that was made here; delete it to end all logins.`)
  } finally {
    closeSync(fd)
  }
}
