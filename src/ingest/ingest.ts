import type { Micros } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import type { EventStore } from './event-store.ts'
import type { KeyedRequest } from './idempotency.ts'
import type { Judgement } from './judge.ts'
import { composeReply } from './reply.ts'
import type { IngestReply } from './reply.ts'

export interface IngestRequest {
  /** Store nothing if any event is invalid. */
  strict: boolean
  /** Who sent it, for the dead letters. */
  source: string
  /** The request named an Idempotency-Key. */
  keyed?: KeyedRequest
  /** The batch replays this dead letter. */
  letter_id?: number
}

export interface Ingested {
  reply: IngestReply
  /** The reply is that of an earlier request with the same Idempotency-Key, and nothing was done now. */
  replayed: boolean
}

/** Stores what is valid of a judged batch and keeps what is not as dead letters. */
export interface Ingest {
  /**
   * @throws {Problem} `invalid_events`, `idempotency_key_reused`, `not_found` for a letter that is gone, `queue_full`, `store_unavailable`
   */
  (judgement: Judgement, request: IngestRequest): Promise<Ingested>
}

export interface IngestOptions {
  store: EventStore
  now_us: () => Micros
}

export function createIngest({ store, now_us }: IngestOptions): Ingest {
  return async function ingest({ judged, content }, { strict, source, keyed, letter_id }) {
    if (strict && judged.rejected > 0) throw refused(composeReply(judged, NOTHING))
    const appended = await store.append({
      content,
      judged,
      source,
      received_at: now_us(),
      keyed: keyed ?? null,
      letter_id: letter_id ?? null,
    })
    switch (appended.outcome) {
      case 'key_reused':
        throw new Problem('idempotency_key_reused', 'Choose a new key for every batch.')
      case 'letter_gone':
        throw new Problem('not_found', 'The dead letter was replayed or deleted meanwhile.')
      case 'stored':
      case 'replayed':
        return { reply: appended.reply, replayed: appended.outcome === 'replayed' }
    }
  }
}

const NOTHING = { accepted: 0, duplicates: 0 }

/** The problem that says the same as a reply in which every event was rejected. */
export function refused(reply: IngestReply, headers: Record<string, string> = {}): Problem {
  return new Problem(
    'invalid_events',
    `${reply.rejected} of ${reply.received} events are invalid; nothing was stored.`,
    { errors: reply.errors, extra: { ...reply }, headers },
  )
}
