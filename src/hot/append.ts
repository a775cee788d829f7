import type { Letter } from '../dead-letters/letter.ts'
import type { KeyedRequest } from '../ingest/idempotency.ts'
import type { IngestReply, Judged } from '../ingest/reply.ts'
import type { Micros } from '../time.ts'
import type { EventBatch } from './batch.ts'

/** What one request asks the writer to commit, all of it or nothing, and what came of it. */

export interface Append {
  /** The valid events. */
  batch: EventBatch
  judged: Judged
  /** The others. */
  letters: readonly Letter[]
  /** Who sent it, for the dead letters. */
  source: string
  received_at: Micros
  /** The request named an Idempotency-Key. */
  keyed: KeyedRequest | null
  /** The batch replays this dead letter, which goes when the events come. */
  letter_id: number | null
}

export type Appended =
  | { outcome: 'stored'; reply: IngestReply }
  /** An earlier request of this key was answered so; nothing was done now. */
  | { outcome: 'replayed'; reply: IngestReply }
  /** An earlier request of this key asked for something else. */
  | { outcome: 'key_reused' }
  /** Somebody else has replayed or deleted the letter. */
  | { outcome: 'letter_gone' }
