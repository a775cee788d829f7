import { deserialize } from 'node:v8'
import type { Letter } from '../dead-letters/letter.ts'
import type { EventBatch } from '../event/batch.ts'
import type { Micros } from '../event/time.ts'
import type { KeyedRequest } from './idempotency.ts'
import type { IngestReply, Judged } from './reply.ts'

/** The contract between ingestion and whoever stores events: what one request asks to commit, and what came of it. */

/** What ingestion needs of a store. `sqlite-store.ts` is the one of this machine. */
export interface EventStore {
  /**
   * Commits all of a request or nothing. Resolves once it is committed and fsynced.
   * @throws {Problem} `not_ready` or `queue_full`: nothing of the batch was stored. `store_unavailable`: nothing of it is visible, but if
   * an fsync failed, a crash before the next commit may leave all of it in the WAL, and then it is there after the restart
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
  /** The batch replays this dead letter, which goes when the events come. */
  letter_id: number | null
}

/** What is to be stored. */
export interface Content {
  /** The valid events. */
  batch: EventBatch
  /** The others. */
  letters: readonly Letter[]
}

/**
 * Content in the form of `v8.serialize`. Whoever reads a large body in a thread of its own sends it so, that the thread between that one and
 * the writer passes on one buffer and never touches a string.
 */
export type SealedContent = Uint8Array

/** An append on its way to the writer. */
export type AppendOrder = Omit<Append, keyof Content> & { content: Content | SealedContent }

export function openAppend({ content, ...append }: AppendOrder): Append {
  return { ...append, ...(content instanceof Uint8Array ? (deserialize(content) as Content) : content) }
}

export type Appended =
  | { outcome: 'stored'; reply: IngestReply }
  /** An earlier request of this key was answered so; nothing was done now. */
  | { outcome: 'replayed'; reply: IngestReply }
  /** An earlier request of this key asked for something else. */
  | { outcome: 'key_reused' }
  /** Somebody else has replayed or deleted the letter. */
  | { outcome: 'letter_gone' }
