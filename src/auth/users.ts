import { randomUUID } from 'node:crypto'
import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { formatScopes } from './scope.ts'
import type { Scope } from './scope.ts'

/** Adds, lists and removes the users of a store. */

export const USER_NAME_CHARS_MAX = 64
const USER_NAME = /^[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?$/

/** Returns the name in lower case, or null if it is invalid. ASCII only, so that names cannot look alike. */
export function readUserName(text: string): string | null {
  const name = text.toLowerCase()
  return USER_NAME.test(name) ? name : null
}

export const USER_NAME_RULE = `a name has 1 to ${USER_NAME_CHARS_MAX} characters of a-z 0-9 . _ @ + - and begins and ends with a letter or digit`

export interface UserRow {
  name: string
  scope: string
  created_at: Micros
}

/** @returns how many users were added: 0 if the name is taken */
export function addUser(
  db: Sqlite,
  name: string,
  password_hash: string,
  scopes: readonly Scope[],
  now_us: Micros,
): number {
  return db
    .prepare(
      `INSERT INTO users (subject, name, scope, password_hash, created_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO NOTHING`,
    )
    .run(randomUUID(), name, formatScopes(scopes), password_hash, now_us).changes
}

export function listUsers(db: Sqlite): UserRow[] {
  return db.prepare('SELECT name, scope, created_at FROM users ORDER BY name').all() as UserRow[]
}

/** @returns how many users were removed */
export function removeUser(db: Sqlite, name: string): number {
  return db.prepare('DELETE FROM users WHERE name = ?').run(name).changes
}
