import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { IngestReply } from './reply.ts'

/**
 * Replies that are kept under the client's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), in the same transaction as the
 * events: a client that did not see the answer sends the same request again and gets the same one.
 */

/** A request that named a key. */
export interface KeyedRequest {
  /** Whose key it is: two clients may choose the same. */
  owner: string
  key: string
  /** SHA-256 of what was asked. */
  fingerprint: Uint8Array
}

export interface KeptReplies {
  /** The reply of an earlier request; `reused` if that request asked for something else; null if there was none. */
  find(request: KeyedRequest, now_us: Micros): IngestReply | 'reused' | null
  /** Inside the transaction that stores the events. */
  keep(request: KeyedRequest, reply: IngestReply, now_us: Micros): void
}

export interface KeptRepliesLimits {
  /** How long a reply is kept. */
  ttl_s: number
  /** The oldest go first. */
  keys_max: number
}

/** How many of the oldest keys one statement looks at, and at most deletes. Two for each new one would be enough. */
const EVICTED_MAX = 100

export function openKeptReplies(db: Sqlite, { ttl_s, keys_max }: KeptRepliesLimits): KeptReplies {
  const select = db.prepare(
    'SELECT fingerprint, reply FROM idempotency_keys WHERE owner = @owner AND key = @key AND created_at > @since',
  )
  // An expired row gives way to a new one: ids grow with time, and eviction counts on that.
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
