import { timingSafeEqual } from 'node:crypto'
import type { Sqlite } from '../store/sqlite.ts'
import { hashKey, looksLikeKey } from './key.ts'
import { parseScopes } from './scope.ts'
import type { Scope } from './scope.ts'
import type { Tokens } from './token.ts'

/**
 * Who a credential belongs to. Every question goes to SQLite, by index and through a prepared statement: what another process makes or
 * revokes holds from its commit on, and there is no cache that could be wrong. It costs about 10 microseconds a request; asking
 * whether a cache still holds (`PRAGMA data_version`) begins a read too and would cost 3.
 */
export interface Gate {
  /** Whether the store has, or ever had, a key or a user. */
  readonly closed: boolean
  /** Null where the secret is nobody's: unknown, revoked, expired, of a removed user. */
  identify(secret: string): Caller | null
}

export interface Caller {
  kind: 'key' | 'user'
  id: number
  scopes: readonly Scope[]
}

const CLOSED = 'SELECT 1 FROM gate'

/** For a command, which asks once. */
export function isClosed(db: Sqlite): boolean {
  return db.prepare(CLOSED).get() !== undefined
}

/** @param db a connection for reading */
export function openGate(db: Sqlite, tokens: Tokens): Gate {
  const closing = db.prepare(CLOSED)
  // The index compares hashes, and not in constant time. What it could tell is a part of a hash, from which no key can be made.
  const keyByHash = db.prepare<[Buffer], { id: number; hash: Buffer; scope: string }>(
    'SELECT id, hash, scope FROM api_keys WHERE hash = ? AND revoked_at IS NULL',
  )
  const userBySubject = db.prepare<[string], { id: number; scope: string }>(
    'SELECT id, scope FROM users WHERE subject = ?',
  )
  // A gate that has closed stays closed, so that is asked no more.
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
