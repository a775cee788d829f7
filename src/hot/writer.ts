import type { ColdIds } from '../cold/ids.ts'
import { readGeneration } from '../cold/catalog.ts'
import { openShelf } from '../dead-letters/shelf.ts'
import type { ShelfLimits } from '../dead-letters/shelf.ts'
import { ID_BYTES } from '../event-id.ts'
import { openKeptReplies } from '../ingest/idempotency.ts'
import type { KeptRepliesLimits } from '../ingest/idempotency.ts'
import { composeReply } from '../ingest/reply.ts'
import type { Stored } from '../ingest/reply.ts'
import type { Sqlite } from '../sqlite.ts'
import type { Append, Appended } from './append.ts'
import { TEXTS_PER_EVENT } from './batch.ts'
import type { EventBatch } from './batch.ts'

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

export function openWriter(db: Sqlite, coldIds: ColdIds, limits: WriterLimits): Writer {
  const shelf = openShelf(db, limits.letters)
  const replies = openKeptReplies(db, limits.replies)
  const insert = db.prepare(
    `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (event_id) DO NOTHING`,
  )

  /** What becomes of one request, inside the group's transaction. */
  function append(request: Append, inCold: ReadonlySet<number>): Appended {
    const { batch, judged, letters, source, received_at, keyed, letter_id } = request
    const earlier = keyed === null ? null : replies.find(keyed, received_at)
    if (earlier === 'reused') return { outcome: 'key_reused' }
    if (earlier !== null) return { outcome: 'replayed', reply: earlier }
    if (letter_id !== null && !shelf.take(letter_id)) return { outcome: 'letter_gone' }
    shelf.put(letters, source, received_at)
    const reply = composeReply(judged, store(batch, inCold))
    if (keyed !== null) replies.keep(keyed, reply, received_at)
    return { outcome: 'stored', reply }
  }

  function store(batch: EventBatch, inCold: ReadonlySet<number>): Stored {
    const ids = Buffer.from(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    let accepted = 0
    for (let i = 0; i < batch.count; i += 1) {
      if (inCold.has(i)) continue
      const text = i * TEXTS_PER_EVENT
      accepted += insert.run(
        ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
        batch.times[i],
        batch.texts[text],
        batch.texts[text + 1],
        batch.texts[text + 2],
      ).changes
    }
    return { accepted, duplicates: batch.count - accepted }
  }

  return {
    async commit(group) {
      for (;;) {
        const inCold: (ReadonlySet<number> | Error)[] = []
        // Noted before the first batch is checked: a check may catch up by itself, and then the batches before it were checked
        // against a catalog that is no longer the newest.
        const { generation } = coldIds
        for (const { batch } of group)
          inCold.push(await coldIds.find(batch).catch((error: unknown) => asError(error)))
        db.exec('BEGIN IMMEDIATE')
        try {
          // Under the write lock nobody else can commit. If the catalog is still the one we checked against, no import or
          // compaction has added an id to cold since, and hot rows are guarded by the unique index.
          if (readGeneration(db) === generation) {
            const results = group.map((request, i) => {
              const found = inCold[i]!
              return found instanceof Error ? found : append(request, found)
            })
            db.exec('COMMIT')
            return results
          }
        } finally {
          if (db.inTransaction) db.exec('ROLLBACK')
        }
        await coldIds.catchUp()
      }
    },
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
