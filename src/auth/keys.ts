import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { hashKey, makeKey } from './key.ts'
import { formatScopes } from './scope.ts'
import type { Scope } from './scope.ts'

/** Creates, lists and revokes the API keys of a store, for the CLI. */

/** A name is only a label; two keys may share one. */
export const KEY_NAME_CHARS_MAX = 64
// Names are printed in a terminal table, so control characters are not allowed.
const KEY_NAME = /^[^\p{C}\p{Z}](?:[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Z}])?$/u

export function isKeyName(name: string): boolean {
  return KEY_NAME.test(name) && [...name].length <= KEY_NAME_CHARS_MAX
}

export interface KeyRow {
  id: number
  name: string
  scope: string
  created_at: Micros
  last_used_at: Micros | null
  revoked_at: Micros | null
}

/** Creates a key and returns it. The store keeps only its hash. */
export function createKey(
  db: Sqlite,
  name: string,
  scopes: readonly Scope[],
  now_us: Micros,
): { id: number; key: string } {
  const key = makeKey()
  const { lastInsertRowid } = db
    .prepare('INSERT INTO api_keys (hash, name, scope, created_at) VALUES (?, ?, ?, ?)')
    .run(hashKey(key), name, formatScopes(scopes), now_us)
  return { id: Number(lastInsertRowid), key }
}

export function listKeys(db: Sqlite): KeyRow[] {
  return db
    .prepare('SELECT id, name, scope, created_at, last_used_at, revoked_at FROM api_keys ORDER BY id')
    .all() as KeyRow[]
}

/** @returns how many keys this call revoked: 0 if the key does not exist or was already revoked */
export function revokeKey(db: Sqlite, id: number, now_us: Micros): number {
  return db.prepare('UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL').run(now_us, id)
    .changes
}
