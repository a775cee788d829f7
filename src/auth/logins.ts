import { setTimeout } from 'node:timers/promises'
import * as v from 'valibot'
import type { Micros } from '../event/time.ts'
import type { Buckets, Rate } from '../limits/buckets.ts'
import { createLine, FULL } from '../limits/line.ts'
import { Problem } from '../problem/problem.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { hashPassword, isPassword, passwordFault } from './password.ts'
import type { Tokens } from './token.ts'
import { addUser, readUserName, USER_NAME_RULE } from './users.ts'

/** Logs users in, and registers them. */
export interface Logins {
  /** @throws {Problem} `rate_limited`, `invalid_login`, `unauthorized`, `logins_busy` */
  login(address: string, body: unknown, signal: AbortSignal): Promise<LoginReply>
  /** @throws {Problem} `rate_limited`, `invalid_login`, `name_taken`, `logins_busy`, `store_unavailable` */
  register(address: string, body: unknown, signal: AbortSignal): Promise<{ username: string; scope: string }>
}

export interface LoginReply {
  token: string
  token_type: 'Bearer'
  expires_in_s: number
  scope: string
}

/** Enough for a person who tries several passwords; at most 14,400 guesses a day. */
export const LOGINS_PER_ADDRESS: Rate = { per_s: 10 / 60, burst: 10 }
/** For one user name, over all addresses. */
export const LOGINS_PER_NAME: Rate = { per_s: 5 / 60, burst: 5 }
/** A hash takes 19 MiB and one of the four libuv threads, which queries and file reads need too. */
const HASHING_MAX = 1
const HASHING_WAITING_MAX = 32
/** How long a registration waits for the write lock. */
const WRITE_TIMEOUT_MS = 5_000
const WRITE_RETRY_MS = 10

export const LOGIN_SCHEMA = v.strictObject({ username: v.string(), password: v.string() })

export interface LoginsOptions {
  /** For reading users. */
  db: Sqlite
  /** For writing users; from openStoreForNotes. */
  notes: Sqlite
  tokens: Tokens
  per_address: Buckets
  per_name: Buckets
  now_us: () => Micros
}

export function createLogins({ db, notes, tokens, per_address, per_name, now_us }: LoginsOptions): Logins {
  const userByName = db.prepare<[string], { subject: string; scope: string; password_hash: string }>(
    'SELECT subject, scope, password_hash FROM users WHERE name = ?',
  )
  const line = createLine(HASHING_MAX, HASHING_WAITING_MAX)

  async function whenHashing<T>(address: string, signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    const leave = await line.enter(address, signal).catch((error: unknown) => {
      throw signal.aborted ? new Problem('client_left', 'The client disconnected.') : error
    })
    if (leave === FULL)
      throw new Problem('logins_busy', 'Too many logins are being checked. Try again later.')
    try {
      return await act()
    } finally {
      leave()
    }
  }

  return {
    async login(address, body, signal) {
      const { username, password } = readBody(body)
      const name = readUserName(username)
      limit(per_address, address)
      // An invalid name belongs to no user, so there is nothing to protect.
      if (name !== null) limit(per_name, name)
      const user = name === null ? undefined : userByName.get(name)
      const right = await whenHashing(address, signal, () =>
        isPassword(bounded(password), user?.password_hash ?? null),
      )
      if (!right || user === undefined) throw wrongLogin()
      const { subject, scope } = user
      return {
        token: tokens.sign({ sub: subject, scope }),
        token_type: 'Bearer',
        expires_in_s: tokens.lifetime_s,
        scope,
      }
    },
    async register(address, body, signal) {
      const { username, password } = readBody(body)
      limit(per_address, address)
      const name = readUserName(username)
      const password_fault = passwordFault(password)
      const errors = [
        ...(name === null ? [{ path: 'username', message: USER_NAME_RULE }] : []),
        ...(password_fault === null ? [] : [{ path: 'password', message: password_fault }]),
      ]
      if (name === null || errors.length > 0) {
        throw new Problem('invalid_login', 'Choose another name or password.', { errors })
      }
      const password_hash = await whenHashing(address, signal, () => hashPassword(password))
      const added = await writeDurably(notes, () => addUser(notes, name, password_hash, ['read'], now_us()))
      if (added === 0) throw new Problem('name_taken', 'Choose another name.')
      return { username: name, scope: 'read' }
    },
  }
}

/** @throws {Problem} `invalid_login`, without `errors`: the mistake is the program's, not the person's */
function readBody(body: unknown): v.InferOutput<typeof LOGIN_SCHEMA> {
  const result = v.safeParse(LOGIN_SCHEMA, body)
  if (result.success) return result.output
  throw new Problem('invalid_login', 'Send {"username":"…","password":"…"} and nothing else.')
}

/** Hashes an empty text in place of one of invalid length, so that the reply takes as long. */
function bounded(password: string): string {
  return passwordFault(password) === null ? password : ''
}

/** The same reply for an unknown name and for a wrong password. */
function wrongLogin(): Problem {
  return new Problem('unauthorized', 'The name or the password is wrong.', {
    headers: { 'www-authenticate': 'Bearer realm="frostline"' },
  })
}

function limit(buckets: Buckets, name: string): void {
  const wait_s = buckets.take(name, 1)
  if (wait_s === 0) return
  throw new Problem('rate_limited', 'Too many login attempts. Try again later.', {
    retry_after_s: Math.ceil(wait_s),
  })
}

/** Retries while the database is locked, without blocking the thread. The commit is fsynced. */
async function writeDurably<T>(db: Sqlite, act: () => T): Promise<T> {
  const until = performance.now() + WRITE_TIMEOUT_MS
  for (;;) {
    db.pragma('synchronous = FULL')
    try {
      return act()
    } catch (error) {
      if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
      if (performance.now() > until) {
        throw new Problem('store_unavailable', 'The database is locked by another writer. Try again later.', {
          cause: error,
        })
      }
    } finally {
      db.pragma('synchronous = NORMAL')
    }
    await setTimeout(WRITE_RETRY_MS)
  }
}
