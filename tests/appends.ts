import assert from 'node:assert/strict'
import { readConfig, writerLimits } from '../src/config.ts'
import type { Append, Appended } from '../src/hot/append.ts'
import type { EventBatch } from '../src/hot/batch.ts'
import type { Stored } from '../src/ingest/reply.ts'

/** For tests that drive the writer itself. */

export const LIMITS = writerLimits(readConfig({}))

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
