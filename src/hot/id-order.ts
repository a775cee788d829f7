import { ID_BYTES } from '../event-id.ts'
import type { EventBatch } from './batch.ts'

/** Positions within a group, as a power of two: with the 32 bits of an id before it a position still fits a double. */
const POSITIONS = 2 ** 21

/**
 * Visits the events of several batches by the first 32 bits of their ids, and where those are equal in the order in which they came. Neighbours in
 * the index of ids come one after another then: of random ids, an index page is found and changed for several rows at once.
 * @param visit is told the number of the batch and that of the event in it
 * @throws {RangeError} for more than 2^21 events
 */
export function visitById(
  batches: readonly EventBatch[],
  visit: (batch: number, index: number) => void,
): void {
  const count = batches.reduce((sum, batch) => sum + batch.count, 0)
  if (count > POSITIONS) throw new RangeError(`${count} events in one group`)
  const keys = new Float64Array(count)
  const batchAt = new Uint32Array(count)
  const firstOf: number[] = []
  let position = 0
  for (const [n, batch] of batches.entries()) {
    firstOf.push(position)
    const ids = new DataView(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    for (let i = 0; i < batch.count; i += 1, position += 1) {
      keys[position] = ids.getUint32(i * ID_BYTES) * POSITIONS + position
      batchAt[position] = n
    }
  }
  for (const key of keys.toSorted()) {
    const at = key % POSITIONS
    const batch = batchAt[at]!
    visit(batch, at - firstOf[batch]!)
  }
}
