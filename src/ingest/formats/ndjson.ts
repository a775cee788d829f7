import { NdjsonScanner } from '../../event/ndjson.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'

/** Parses `application/x-ndjson`: one event per line; blank lines are skipped. */
export function readNdjson(body: Uint8Array, events_max: number): Batch {
  const batch: unknown[] = []
  new NdjsonScanner().push(body, true, (line) => {
    if (batch.length === events_max) throw tooManyEvents(events_max)
    const read = line.read()
    batch.push('value' in read ? read.value : new Unreadable(line.text(), read.error.message))
  })
  return batch
}
