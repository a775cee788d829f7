import type { ColdIds } from '../cold/ids.ts'
import { readGeneration } from '../cold/catalog.ts'
import { openShelf } from '../dead-letters/shelf.ts'
import type { ShelfLimits } from '../dead-letters/shelf.ts'
import { ID_BYTES } from '../event-id.ts'
import { openKeptReplies } from '../ingest/idempotency.ts'
import type { KeptRepliesLimits } from '../ingest/idempotency.ts'
import { composeReply } from '../ingest/reply.ts'
import type { Sqlite } from '../sqlite.ts'
import type { Append, Appended } from './append.ts'
import { TEXTS_PER_EVENT } from './batch.ts'
import type { EventBatch } from './batch.ts'
import { visitById } from './id-order.ts'

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

const NO_EVENTS: EventBatch = { count: 0, ids: new Uint8Array(), times: new Float64Array(), texts: [] }

export function openWriter(db: Sqlite, coldIds: ColdIds, limits: WriterLimits): Writer {
  const shelf = openShelf(db, limits.letters)
  const replies = openKeptReplies(db, limits.replies)
  const insert = db.prepare(
    `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (event_id) DO NOTHING`,
  )

  /** What becomes of the requests of a group, inside its transaction. */
  function append(group: readonly Append[], inCold: readonly (Found | Error)[]): (Appended | Error)[] {
    const answers = group.map((request, n) => {
      const found = inCold[n]!
      return found instanceof Error ? found : answerAtOnce(request)
    })
    const accepted = insertAll(
      group.map(({ batch }, n) => ({
        batch: answers[n] === null ? batch : NO_EVENTS,
        inCold: inCold[n] as Found,
      })),
    )
    return group.map((request, n) => answers[n] ?? storeRest(request, accepted[n]!))
  }

  /** Null where there is something to store. */
  function answerAtOnce({ keyed, received_at, letter_id }: Append): Appended | null {
    const earlier = keyed === null ? null : replies.find(keyed, received_at)
    if (earlier === 'reused') return { outcome: 'key_reused' }
    if (earlier !== null) return { outcome: 'replayed', reply: earlier }
    if (letter_id !== null && !shelf.take(letter_id)) return { outcome: 'letter_gone' }
    return null
  }

  function storeRest(
    { batch, judged, letters, source, received_at, keyed }: Append,
    accepted: number,
  ): Appended {
    shelf.put(letters, source, received_at)
    const reply = composeReply(judged, { accepted, duplicates: batch.count - accepted })
    if (keyed !== null) replies.keep(keyed, reply, received_at)
    return { outcome: 'stored', reply }
  }

  /** How many of each batch were new. Of events with one id the first is stored: they are visited in the order in which they came. */
  function insertAll(batches: readonly { batch: EventBatch; inCold: Found }[]): number[] {
    const accepted = batches.map(() => 0)
    const id = Buffer.alloc(ID_BYTES)
    visitById(
      batches.map(({ batch }) => batch),
      (n, i) => {
        const { batch, inCold } = batches[n]!
        if (inCold.has(i)) return
        id.set(batch.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES))
        const text = i * TEXTS_PER_EVENT
        const { changes } = insert.run(
          id,
          batch.times[i],
          batch.texts[text],
          batch.texts[text + 1],
          batch.texts[text + 2],
        )
        accepted[n]! += changes
      },
    )
    return accepted
  }

  return {
    async commit(group) {
      for (;;) {
        const inCold: (Found | Error)[] = []
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
            const results = append(group, inCold)
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
