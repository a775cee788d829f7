import type { ColdIds } from '../cold/ids.ts'
import { readGeneration } from '../store/catalog.ts'
import { openShelf } from '../dead-letters/shelf.ts'
import type { ShelfLimits } from '../dead-letters/shelf.ts'
import { ID_BYTES } from '../event/id.ts'
import { openKeptReplies } from '../ingest/idempotency.ts'
import type { KeptRepliesLimits } from '../ingest/idempotency.ts'
import { composeReply } from '../ingest/reply.ts'
import { beginWriting } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Append, Appended } from '../ingest/append.ts'
import { TEXTS_PER_EVENT } from '../event/batch.ts'
import type { EventBatch } from '../event/batch.ts'
import { openEventRows } from './event-rows.ts'
import { openHotIds } from './ids.ts'
import { newestSeq } from './newest-seq.ts'

export interface WriterLimits {
  letters: ShelfLimits
  replies: KeptRepliesLimits
}

export interface Writer {
  /**
   * Stores a group of requests in one transaction; all of them or, if it throws, none. A request whose ids could not be compared with
   * cold gets the reason as its result and is not stored; the others need not wait for somebody to mend the file.
   */
  commit(group: readonly Append[]): Promise<(Appended | Error)[]>
}

/** Positions in a batch whose ids are in cold. */
type Found = ReadonlySet<number>

export function openWriter(db: Sqlite, coldIds: ColdIds, limits: WriterLimits): Writer {
  const shelf = openShelf(db, limits.letters)
  const replies = openKeptReplies(db, limits.replies)
  const rows = openEventRows(db)
  const newest = newestSeq(db)
  const ids = openHotIds(db)
  ids.catchUp()

  /** What becomes of one request, inside the group's transaction. */
  function append(
    { batch, judged, letters, source, received_at, keyed, letter_id }: Append,
    inCold: Found,
  ): Appended {
    const earlier = keyed === null ? null : replies.find(keyed, received_at)
    if (earlier === 'reused') return { outcome: 'key_reused' }
    if (earlier !== null) return { outcome: 'replayed', reply: earlier }
    if (letter_id !== null && !shelf.take(letter_id)) return { outcome: 'letter_gone' }
    shelf.put(letters, source, received_at)
    const accepted = addNew(batch, inCold)
    const reply = composeReply(judged, { accepted, duplicates: batch.count - accepted })
    if (keyed !== null) replies.keep(keyed, reply, received_at)
    return { outcome: 'stored', reply }
  }

  /** How many were new. */
  function addNew(batch: EventBatch, inCold: Found): number {
    const { times, texts } = batch
    const words = new DataView(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    let accepted = 0
    for (let i = 0; i < batch.count; i += 1) {
      const at = i * ID_BYTES
      if (inCold.has(i) || !ids.take(words, at)) continue
      const text = i * TEXTS_PER_EVENT
      rows.add(
        batch.ids.subarray(at, at + ID_BYTES),
        times[i]!,
        texts[text]!,
        texts[text + 1]!,
        texts[text + 2]!,
      )
      accepted += 1
    }
    return accepted
  }

  return {
    async commit(group) {
      for (;;) {
        await coldIds.catchUp()
        const inCold: (Found | Error)[] = []
        // Noted before the first batch is checked: a check may catch up by itself, and then the batches before it were checked
        // against a catalog that is no longer the newest.
        const { generation } = coldIds
        for (const { batch } of group)
          inCold.push(await coldIds.find(batch).catch((error: unknown) => asError(error)))
        beginWriting(db)
        try {
          // Under the write lock nobody else can commit. If the catalog is still the one we checked against, no import or
          // compaction has added an id to cold since.
          if (readGeneration(db) === generation) {
            ids.catchUp()
            ids.begin(group.reduce((n, { batch }) => n + batch.count, 0))
            const results = group.map((request, n) => {
              const found = inCold[n]!
              return found instanceof Error ? found : append(request, found)
            })
            rows.flush()
            const through = newest()
            db.exec('COMMIT')
            ids.keep(through)
            return results
          }
        } finally {
          // Of what was not committed nothing may be left: a retry has to find its events new.
          ids.forget()
          rows.discard()
          if (db.inTransaction) db.exec('ROLLBACK')
        }
      }
    },
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
