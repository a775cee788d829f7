import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openShelf } from '../../src/dead-letters/shelf.ts'
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
      const letter = {
        path: 'user_id',
        message: 'wrong',
        event_id: null,
        is_cut: false,
        events_omitted: 0,
        body,
      }
      db.transaction(() =>
        shelf.put(
          Array.from({ length: count }, () => letter),
          'a test',
          nowMicros(),
        ),
      )()
    })
  }

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

  it('are counted exactly, however many they are', async () => {
    fill(10_001, 1_000)
    assert.deepEqual(await letters(), [10_001, 10_001_000])
    const { id } = (
      (await (await fetch(`${home.url}/dead-letters?limit=1`)).json()) as { data: { id: number }[] }
    ).data[0]!
    assert.equal((await fetch(`${home.url}/dead-letters/${id - 5}`, { method: 'DELETE' })).status, 204)
    assert.deepEqual(await letters(), [10_000, 10_000_000])
  })
})
