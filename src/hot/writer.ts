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

/** Stores events: compares their ids with cold and hot, and commits a group of requests in one transaction. */

export interface Writer<Request, Result> {
  /**
   * Stores a group of requests in one transaction; all of them or, if it throws, none. A request whose ids could not be compared with
   * cold gets the reason as its result and is not stored; the others need not wait for somebody to mend the file.
   */
  commit(group: readonly Request[]): Promise<(Result | Error)[]>
}

/** What became of a request's events. */
export interface Stored {
  accepted: number
  duplicates: number
}

/** What a request commits beside its events. Both functions run inside the transaction, for one request after the other. */
export interface Companion<Request, Result> {
  /** Before the events of the request. A result ends the request, and none of its events is stored. */
  begin(request: Request): Result | null
  /** After the events of the request. */
  end(request: Request, stored: Stored): Result
}

/** Positions in a batch whose ids are in cold. */
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

  /** What becomes of one request, inside the group's transaction. */
  function append(request: Request, inCold: Found): Result {
    const result = companion.begin(request)
    if (result !== null) return result
    const { batch } = request
    const accepted = addNew(batch, inCold)
    return companion.end(request, { accepted, duplicates: batch.count - accepted })
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
