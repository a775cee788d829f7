import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { untilScraped } from '../support/exposition.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { DAY, FREE_BYTES, serveMetrics } from '../support/measuring.ts'
import { sampleEvents } from '../support/sample.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

describe('GET /metrics', { timeout: HANGS_AFTER_MS }, () => {
  const { home, start, look, send } = serveMetrics()

  it('says of both tiers what GET /tiers says, before and after a compaction', async () => {
    for (const step of ['hot', 'cold', 'both']) {
      if (step === 'cold') await home.compact()
      else await post(`${home.url}/events`, sampleEvents(step.length, 60, '2025-08-03', 4))
      // A question brings the mirror up to now.
      await get(`${home.url}/stats/dau?${DAY}`)
      const { json: tiers } = await get<{
        hot: { events: number }
        cold: { events: number; files: number; bytes: number }
      }>(`${home.url}/tiers`)
      const scraped = await look()
      assert.equal(scraped.value('frostline_hot_events'), tiers.hot.events, step)
      assert.equal(scraped.value('frostline_cold_events'), tiers.cold.events, step)
      assert.equal(scraped.value('frostline_cold_files'), tiers.cold.files, step)
      assert.equal(scraped.value('frostline_cold_bytes'), tiers.cold.bytes, step)
      assert.equal(scraped.value('frostline_mirror_lag_events'), 0, step)
      assert.equal(scraped.value('frostline_mirror_lag_seconds'), 0, step)
      assert.equal(tiers.hot.events === 0, step === 'cold')
    }
  })

  it('tells how far the mirror is behind, until it is not', async () => {
    await get(`${home.url}/stats/dau?${DAY}`)
    for (;;) {
      await send([eventOf(), eventOf(), eventOf()])
      const scraped = await look()
      const lag = scraped.value('frostline_mirror_lag_events')
      const seconds = scraped.value('frostline_mirror_lag_seconds')!
      assert.equal(lag === 0, seconds === 0)
      // The mirror looks by a clock of its own, and may have been faster than we.
      if (lag === 0) continue
      assert.equal(lag, 3)
      assert.ok(seconds < 60, `${seconds}`)
      break
    }
    const { value } = await untilScraped(home.url, (s) => s.value('frostline_mirror_lag_events') === 0)
    assert.equal(value('frostline_mirror_lag_seconds'), 0)
  })

  it('says that the mirror lags behind nothing when its newest rows went to cold without it', async () => {
    await send([eventOf()])
    await home.stop()
    await home.compact()
    await start()
    const scraped = await look()
    assert.equal(scraped.value('frostline_hot_events'), 0)
    assert.equal(scraped.value('frostline_mirror_lag_events'), 0)
  })

  it('knows the size of the log, the free disk and the process', async () => {
    await send(Array.from({ length: 100 }, () => eventOf()))
    const scraped = await look()
    assert.equal(scraped.value('frostline_wal_bytes'), statSync(`${home.layout.database}-wal`).size)
    assert.ok(scraped.value('frostline_wal_bytes')! > 0)
    assert.equal(scraped.value('frostline_disk_free_bytes'), FREE_BYTES)
    const { heapUsed } = process.memoryUsage()
    assert.ok(scraped.value('process_resident_memory_bytes')! > heapUsed)
    for (const name of [
      'nodejs_heap_size_used_bytes',
      'nodejs_external_memory_bytes',
      'process_cpu_seconds_total',
    ])
      assert.ok(scraped.value(name)! > 0, name)
    const age_s = Date.now() / 1_000 - scraped.value('process_start_time_seconds')!
    assert.ok(Math.abs(age_s - process.uptime()) < 60, `${age_s}`)
    assert.equal(scraped.value('frostline_ready'), 1)
    assert.equal(scraped.value('frostline_damage_findings'), 0)
  })

  it('sees the event loop stand still, and forgets it after the next look', async () => {
    let scraped = await look()
    // A look forgets when the watch last saw the loop, and only after that it can see it stand still.
    while (scraped.value('frostline_event_loop_lag_max_seconds')! < 0.3) {
      await setTimeout(50)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
      scraped = await look()
    }
    assert.ok(
      scraped.value('frostline_event_loop_lag_p99_seconds')! <=
        scraped.value('frostline_event_loop_lag_max_seconds')!,
    )
    await untilScraped(home.url, (s) => s.value('frostline_event_loop_lag_max_seconds')! < 0.3)
  })
})
