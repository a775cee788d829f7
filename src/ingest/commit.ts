import type { ColdIds } from '../cold/ids.ts'
import { openShelf } from '../dead-letters/shelf.ts'
import type { ShelfLimits } from '../dead-letters/shelf.ts'
import { openWriter } from '../hot/writer.ts'
import type { Companion, Writer } from '../hot/writer.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Append, Appended } from './event-store.ts'
import { openKeptReplies } from './idempotency.ts'
import type { KeptRepliesLimits } from './idempotency.ts'
import { composeReply } from './reply.ts'

/**
 * Commits a request in one transaction: its events,
 * its dead letters, and the reply for its Idempotency-Key.
 */

export interface CommitLimits {
  letters: ShelfLimits
  replies: KeptRepliesLimits
}

/** @param db a connection for writing */
export function openAppendWriter(
  db: Sqlite,
  coldIds: ColdIds,
  limits: CommitLimits,
): Writer<Append, Appended> {
  const shelf = openShelf(db, limits.letters)
  const replies = openKeptReplies(db, limits.replies)
  const companion: Companion<Append, Appended> = {
    begin({ letters, source, received_at, keyed, letter_id }) {
      const earlier = keyed === null ? null : replies.find(keyed, received_at)
      if (earlier === 'reused') return { outcome: 'key_reused' }
      if (earlier !== null) return { outcome: 'replayed', reply: earlier }
      if (letter_id !== null && !shelf.take(letter_id)) return { outcome: 'letter_gone' }
      shelf.put(letters, source, received_at)
      return null
    },
    end({ judged, letters, keyed, received_at }, stored) {
      const events_omitted = letters.at(-1)?.events_omitted ?? 0
      const reply = { ...composeReply(judged, stored), ...(events_omitted === 0 ? {} : { events_omitted }) }
      if (keyed !== null) replies.keep(keyed, reply, received_at)
      return { outcome: 'stored', reply }
    },
  }
  return openWriter(db, coldIds, companion)
}
