import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openStore } from '../../src/store/sqlite.ts'
import { untilScraped } from '../support/exposition.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { bad, grown, serveMetrics } from '../support/measuring.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

describe('GET /metrics', { timeout: HANGS_AFTER_MS }, () => {
  const { home, clock, look, send } = serveMetrics()

  it('counts events as the replies told them', async () => {
    const stored = eventOf()
    const from = await look()
    const batch = [eventOf(), stored, stored, bad()]
    assert.equal((await send(batch, '', { 'idempotency-key': 'counted-once' })).status, 200)
    const replayed = await send(batch, '', { 'idempotency-key': 'counted-once' })
    assert.equal(replayed.headers.get('idempotency-replayed'), 'true')
    assert.equal((await send([bad(), bad()])).status, 422)
    assert.equal((await send([eventOf(), bad()], '?strict=true')).status, 422)
    assert.equal((await send([])).status, 200)
    assert.equal((await send('no events')).status, 400)
    const [letter] = (await get<{ data: { id: number }[] }>(`${home.url}/dead-letters?limit=1`)).json.data
    assert.equal((await post(`${home.url}/dead-letters/${letter!.id}/replay`, eventOf())).status, 200)
    const to = await look()
    const outcomes = ['accepted', 'duplicate', 'rejected'].map((outcome) =>
      grown(from, to, 'frostline_events_total', { outcome }),
    )
    assert.deepEqual(outcomes, [2 + 1, 1, 1 + 2 + 1])
  })

  it('tells events a second over the last ten seconds', async () => {
    clock.ms += 60_000
    assert.equal((await look()).value('frostline_events_per_second'), 0)
    await send(Array.from({ length: 25 }, () => eventOf()))
    assert.equal((await look()).value('frostline_events_per_second'), 2.5)
    clock.ms += 9_000
    await send([eventOf(), bad()])
    assert.equal((await look()).value('frostline_events_per_second'), 2.6)
    clock.ms += 1_000
    assert.equal((await look()).value('frostline_events_per_second'), 0.1)
    clock.ms += 9_000
    assert.equal((await look()).value('frostline_events_per_second'), 0)
  })

  it('tells each commit with its size and its time', async () => {
    const from = await look()
    for (const count of [1, 10, 11, 2_500]) {
      await send([...Array.from({ length: count }, () => eventOf()), bad()])
    }
    const to = await look()
    assert.equal(grown(from, to, 'frostline_commit_events_count'), 4)
    assert.equal(grown(from, to, 'frostline_commit_events_sum'), 1 + 10 + 11 + 2_500)
    const within = ['1', '10', '100', '1000', '2500'].map((le) =>
      grown(from, to, 'frostline_commit_events_bucket', { le }),
    )
    assert.deepEqual(within, [1, 2, 3, 3, 4])
    assert.equal(grown(from, to, 'frostline_commit_duration_seconds_count'), 4)
    assert.ok(grown(from, to, 'frostline_commit_duration_seconds_sum') > 0)
  })

  it('tells how many events wait for the writer', async () => {
    const db = openStore(home.layout.database)
    try {
      // While somebody else writes, the writer waits.
      db.exec('BEGIN IMMEDIATE')
      const posted = send([...Array.from({ length: 7 }, () => eventOf()), bad()])
      const { value } = await untilScraped(home.url, (s) => s.value('frostline_write_queue_events') !== 0)
      assert.equal(value('frostline_write_queue_events'), 8)
      db.exec('ROLLBACK')
      assert.equal((await posted).status, 200)
    } finally {
      db.close()
    }
    assert.equal((await look()).value('frostline_write_queue_events'), 0)
  })
})
