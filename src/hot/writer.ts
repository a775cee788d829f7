import type { ColdIds } from '../cold/ids.ts'
import { TEXTS_PER_EVENT } from '../event/batch.ts'
import type { EventBatch } from '../event/batch.ts'
import { ID_BYTES } from '../event/id.ts'
import { readGeneration } from '../store/catalog.ts'
import { beginWriting } from '../store/sqlite.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { openEventRows } from './event-rows.ts'
import { openHotIds } from './ids.ts'
import { newestSeq } from './newest-seq.ts'

/**
 * The hot tier's writer: checks ids against cold and hot,
 * and commits a group of requests in one transaction.
 */

export interface Writer<Request, Result> {
  /**
   * Stores a group of requests in one transaction. If it throws, none is stored. A request whose ids
   * cannot be checked against cold gets an Error as its result; the other requests are stored.
   */
  commit(group: readonly Request[]): Promise<(Result | Error)[]>
}

/** Counts of a request's events. */
export interface Stored {
  accepted: number
  duplicates: number
}

/**
 * What a request commits in addition to its events.
 * Called inside the transaction, one request after the other.
 */
export interface Companion<Request, Result> {
  /**
   * Runs before the events are stored.
   * A non-null result ends the request, and none of its events is stored.
   */
  begin(request: Request): Result | null
  /** Runs after the events are stored. */
  end(request: Request, stored: Stored): Result
}

/** Indexes in a batch whose ids are in cold. */
type Found = ReadonlySet<number>

/** @param db a connection for writing */
export function openWriter<Request extends { batch: EventBatch }, Result>(
  db: Sqlite,
  coldIds: ColdIds,
  companion: Companion<Request, Result>,
): Writer<Request, Result> {
  const rows = openEventRows(db)
  const newest = newestSeq(db)
  const ids = openHotIds(db)
  ids.catchUp()

  /** Stores one request inside the group's transaction. */
  function append(request: Request, inCold: Found): Result {
    const result = companion.begin(request)
    if (result !== null) return result
    const { batch } = request
    const accepted = addNew(batch, inCold)
    return companion.end(request, { accepted, duplicates: batch.count - accepted })
  }

  /** Buffers the new events. Returns how many are new. */
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
        // Read before the first check: a check may itself catch up to a newer catalog, and the batches before
        // it were then checked against an older one.
        const { generation } = coldIds
        for (const { batch } of group)
          inCold.push(await coldIds.find(batch).catch((error: unknown) => asError(error)))
        beginWriting(db)
        try {
          // Under the write lock no other connection can commit. If the generation is unchanged, no import or
          // compaction has added ids to cold since the check. Otherwise the loop checks again.
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
          // Drops everything that was not committed, so that a retry finds its events new.
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
