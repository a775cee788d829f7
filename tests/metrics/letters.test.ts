import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { COUNTED_BYTES_MAX, COUNTED_MAX, openShelf } from '../../src/dead-letters/shelf.ts'
import { nowMicros } from '../../src/event/time.ts'
import { scrape } from '../support/exposition.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { bad } from '../support/measuring.ts'

describe('dead letters among the metrics', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore()

  async function letters(): Promise<unknown[]> {
    const { value } = await scrape(home.url)
    return [value('frostline_dead_letters'), value('frostline_dead_letters_bytes')]
  }
  /** Puts letters of some bytes on the shelf, as the writer does. */
  function fill(count: number, bytes: number): void {
    home.inSqlite((db) => {
      const shelf = openShelf(db, { letters_max: 100_000, bytes_max: 1e9, age_max_days: 30 })
      const body = JSON.stringify('x'.repeat(bytes - 2))
      const letter = { path: 'user_id', message: 'wrong', event_id: null, is_cut: false, body }
      db.transaction(() =>
        shelf.put(
          Array.from({ length: count }, () => letter),
          'a test',
          nowMicros(),
        ),
      )()
    })
  }
  const empty = () => home.inSqlite((db) => db.exec('DELETE FROM dead_letters'))
  const remove = (place: number) =>
    home.inSqlite((db) => {
      const id = db.prepare('SELECT id FROM dead_letters ORDER BY id LIMIT 1 OFFSET ?').pluck().get(place)
      assert.equal(db.prepare('DELETE FROM dead_letters WHERE id = ?').run(id).changes, 1)
    })

  it('are counted with their bytes, also when one is taken from between', async () => {
    assert.deepEqual(await letters(), [0, 0])
    const events = [bad(), bad(), bad()]
    await post(`${home.url}/events`, [eventOf(), ...events])
    const sizes = events.map((event) => Buffer.byteLength(JSON.stringify(event)))
    assert.deepEqual(await letters(), [3, sizes[0]! + sizes[1]! + sizes[2]!])
    assert.equal((await fetch(`${home.url}/dead-letters/2`, { method: 'DELETE' })).status, 204)
    assert.deepEqual(await letters(), [2, sizes[0]! + sizes[2]!])
    assert.equal((await post(`${home.url}/dead-letters/3/replay`, eventOf())).status, 200)
    assert.deepEqual(await letters(), [1, sizes[0]!])
    assert.equal((await fetch(`${home.url}/dead-letters/1`, { method: 'DELETE' })).status, 204)
    assert.deepEqual(await letters(), [0, 0])
  })

  it('are counted one by one up to a number of them, and above it from the first to the last', async () => {
    empty()
    fill(COUNTED_MAX + 1, 100)
    remove(5)
    assert.deepEqual(await letters(), [COUNTED_MAX + 1, (COUNTED_MAX + 1) * 100])
    remove(0)
    assert.deepEqual(await letters(), [COUNTED_MAX - 1, (COUNTED_MAX - 1) * 100])
  })

  it('are counted one by one up to a number of bytes, and above it from the first to the last', async () => {
    empty()
    const bytes = COUNTED_BYTES_MAX / 128
    fill(128, bytes)
    remove(5)
    assert.deepEqual(await letters(), [127, 127 * bytes])
    fill(1, 2)
    assert.deepEqual(await letters(), [129, 128 * bytes + 2])
  })
})
