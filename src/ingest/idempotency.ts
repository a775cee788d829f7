import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { IngestReply } from './reply.ts'

/**
 * Stores replies by the client's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), in the
 * transaction of the events. A client that did not receive the reply repeats the request and gets the same
 * reply.
 */

/** A request with an Idempotency-Key. */
export interface KeyedRequest {
  /** The client; two clients may choose the same key. */
  owner: string
  key: string
  /** SHA-256 of the request's parameters and body. */
  fingerprint: Uint8Array
}

export interface KeptReplies {
  /**
   * The reply of an earlier request; `reused` if that request was a different one; null if there was none.
   */
  find(request: KeyedRequest, now_us: Micros): IngestReply | 'reused' | null
  /** Call it in the transaction that stores the events. */
  keep(request: KeyedRequest, reply: IngestReply, now_us: Micros): void
}

export interface KeptRepliesLimits {
  /** Lifetime of a reply. */
  ttl_s: number
  /** The oldest are evicted first. */
  keys_max: number
}

/** Keys that one statement examines, and at most deletes. Two per new key would be enough. */
const EVICTED_MAX = 100

export function openKeptReplies(db: Sqlite, { ttl_s, keys_max }: KeptRepliesLimits): KeptReplies {
  const select = db.prepare(
    'SELECT fingerprint, reply FROM idempotency_keys WHERE owner = @owner AND key = @key AND created_at > @since',
  )
  // REPLACE gives a renewed key a new id. Eviction needs ids in order of time.
  const insert = db.prepare(
    `INSERT OR REPLACE INTO idempotency_keys (owner, key, fingerprint, reply, created_at)
     VALUES (@owner, @key, @fingerprint, @reply, @now_us)`,
  )
  const evict = db.prepare(
    `DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys ORDER BY id LIMIT ${EVICTED_MAX})
     AND (created_at <= @since OR id <= @last_id - @keys_max)`,
  )
  const since = (now_us: Micros) => now_us - ttl_s * 1_000_000

  return {
    find({ owner, key, fingerprint }, now_us) {
      const row = select.get({ owner, key, since: since(now_us) }) as
        | { fingerprint: Buffer; reply: string }
        | undefined
      if (row === undefined) return null
      return row.fingerprint.equals(fingerprint) ? (JSON.parse(row.reply) as IngestReply) : 'reused'
    },
    keep({ owner, key, fingerprint }, reply, now_us) {
      const { lastInsertRowid } = insert.run({
        owner,
        key,
        fingerprint,
        reply: JSON.stringify(reply),
        now_us,
      })
      evict.run({ since: since(now_us), last_id: Number(lastInsertRowid), keys_max })
    },
  }
}
