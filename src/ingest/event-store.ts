import { deserialize } from 'node:v8'
import { LETTERS_PER_REQUEST_MAX } from '../dead-letters/letter.ts'
import type { Letter } from '../dead-letters/letter.ts'
import type { EventBatch } from '../event/batch.ts'
import type { Micros } from '../event/time.ts'
import type { KeyedRequest } from './idempotency.ts'
import type { IngestReply, Judged } from './reply.ts'

/** The contract between ingestion and a store of events: what a request commits, and the outcome. */

/** What ingestion needs of a store. `writer-queue.ts` implements it for this machine. */
export interface EventStore {
  /**
   * Commits a request atomically. Resolves once it is committed and fsynced.
   * @throws {Problem} `not_ready` or `queue_full`: nothing of the batch was stored. `store_unavailable`:
   * nothing of it is visible, but if an fsync failed, a crash before the next commit may leave the batch
   * in the WAL; it then appears after the restart
   */
  append(append: AppendOrder): Promise<Appended>
}

export interface Append extends Content {
  judged: Judged
  /** Who sent it, for the dead letters. */
  source: string
  received_at: Micros
  /** The request named an Idempotency-Key. */
  keyed: KeyedRequest | null
  /** The batch replays this dead letter, which is deleted in the same transaction. */
  letter_id: number | null
}

export interface Content {
  /** The valid events. */
  batch: EventBatch
  /** The rejected events. */
  letters: readonly Letter[]
}

/**
 * Content encoded with `v8.serialize`. The thread that validates large bodies sends it in this form, so
 * that the main thread passes one buffer on to the writer and copies no strings.
 */
export type SealedContent = Uint8Array

/** An append as it is sent to the writer. */
export type AppendOrder = Omit<Append, keyof Content> & { content: Content | SealedContent }

/** Rows that an append writes, at most; the limits of the write queue count them. */
export function rowsOf({ received, rejected }: Judged): number {
  return received - rejected + Math.min(rejected, LETTERS_PER_REQUEST_MAX + 1)
}

/** Decodes the content of an append. */
export function openAppend({ content, ...append }: AppendOrder): Append {
  return { ...append, ...(content instanceof Uint8Array ? (deserialize(content) as Content) : content) }
}

export type Appended =
  | { outcome: 'stored'; reply: IngestReply }
  /** The reply of an earlier request with this key; nothing was stored now. */
  | { outcome: 'replayed'; reply: IngestReply }
  /** The key was used for a different request. */
  | { outcome: 'key_reused' }
  /** The letter was replayed, deleted or evicted before. */
  | { outcome: 'letter_gone' }
