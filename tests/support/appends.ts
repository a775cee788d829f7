import assert from 'node:assert/strict'
import { openColdIds } from '../../src/cold/ids.ts'
import type { ColdIds } from '../../src/cold/ids.ts'
import { readConfig } from '../../src/config.ts'
import { commitLimits } from '../../src/ingest/limits.ts'
import { openAppendWriter } from '../../src/ingest/commit.ts'
import type { Append, Appended } from '../../src/ingest/event-store.ts'
import type { EventBatch } from '../../src/event/batch.ts'
import type { Stored, Writer } from '../../src/hot/writer.ts'
import type { Layout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'

/** For tests that drive the writer itself. */

const LIMITS = commitLimits(readConfig({}))

/** Gives a writer over this store, and its connection, for as long as `act` takes. */
export async function withWriter(
  layout: Layout,
  act: (writer: Writer<Append, Appended>, db: Sqlite) => Promise<void>,
  onRepair: (reason: string) => void = assert.fail,
  wrap: (coldIds: ColdIds) => ColdIds = (coldIds) => coldIds,
): Promise<void> {
  const db = openStore(layout.database)
  try {
    const coldIds = await openColdIds(db, layout, { memory_mb: 256, onRepair })
    try {
      await act(openAppendWriter(db, wrap(coldIds), LIMITS), db)
    } finally {
      coldIds.close()
    }
  } finally {
    db.close()
  }
}

/** What a request with nothing but these valid events asks. */
export function appendOf(batch: EventBatch): Append {
  const judged = { received: batch.count, rejected: 0, errors: [] }
  return { batch, judged, letters: [], source: 'a test', received_at: 0, keyed: null, letter_id: null }
}

export function storedOf(appended: Appended | Error): Stored {
  assert.ok(!(appended instanceof Error) && appended.outcome === 'stored', JSON.stringify(appended))
  const { accepted, duplicates } = appended.reply
  return { accepted, duplicates }
}
