import { timingSafeEqual } from 'node:crypto'
import type { Sqlite } from '../store/sqlite.ts'
import { hashKey, looksLikeKey } from './key.ts'
import { parseScopes } from './scope.ts'
import type { Scope } from './scope.ts'
import type { Tokens } from './token.ts'

/**
 * Finds the owner of a credential. Each call runs a prepared, indexed query in SQLite, so a key that another
 * process creates or revokes takes effect at its commit. This costs about 10 µs a request. A cache could be
 * stale, and checking it (`PRAGMA data_version`) would cost 3 µs.
 */
export interface Gate {
  /** Whether the store has, or ever had, a key or a user. */
  readonly closed: boolean
  /** Null if the key or token is unknown, revoked or expired, or its user was removed. */
  identify(secret: string): Caller | null
}

export interface Caller {
  kind: 'key' | 'user'
  id: number
  scopes: readonly Scope[]
}

const CLOSED = 'SELECT 1 FROM gate'

/** {@link Gate.closed} for a command, which checks only once. */
export function isClosed(db: Sqlite): boolean {
  return db.prepare(CLOSED).get() !== undefined
}

/** @param db a connection for reading */
export function openGate(db: Sqlite, tokens: Tokens): Gate {
  const closing = db.prepare(CLOSED)
  // The index lookup is not constant-time. It could leak part of a hash, from which no key can be derived.
  const keyByHash = db.prepare<[Buffer], { id: number; hash: Buffer; scope: string }>(
    'SELECT id, hash, scope FROM api_keys WHERE hash = ? AND revoked_at IS NULL',
  )
  const userBySubject = db.prepare<[string], { id: number; scope: string }>(
    'SELECT id, scope FROM users WHERE subject = ?',
  )
  // A closed gate stays closed, so the query is skipped from then on.
  let closed = false

  function findKey(key: string): Caller | null {
    const hash = hashKey(key)
    const row = keyByHash.get(hash)
    if (row === undefined || !timingSafeEqual(row.hash, hash)) return null
    return callerOf('key', row)
  }

  function findUser(token: string): Caller | null {
    const subject = tokens.verify(token)
    const row = subject === null ? undefined : userBySubject.get(subject)
    return row === undefined ? null : callerOf('user', row)
  }

  return {
    get closed() {
      closed ||= closing.get() !== undefined
      return closed
    },
    identify: (secret) => (looksLikeKey(secret) ? findKey(secret) : findUser(secret)),
  }
}

function callerOf(kind: Caller['kind'], row: { id: number; scope: string }): Caller {
  return { kind, id: row.id, scopes: parseScopes(row.scope) ?? [] }
}
