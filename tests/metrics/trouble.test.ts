import type { Scrape } from '../support/exposition.ts'
import assert from 'node:assert/strict'
import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { scrape, untilScraped } from '../support/exposition.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { get, post } from '../support/store.ts'
import { begin, slowEvents, slowSegments } from '../support/wire.ts'
import { DAY } from '../support/measuring.ts'

/** How many questions ended so. */
function ended(scraped: Scrape, outcome: string): number {
  return scraped.value('frostline_query_duration_seconds_count', { kind: 'dau', outcome }) ?? 0
}

/** Questions running, and waiting. */
function line({ value }: Scrape): unknown[] {
  return [value('frostline_queries_running'), value('frostline_queries_waiting')]
}

describe('what goes wrong, among the metrics', { timeout: HANGS_AFTER_MS }, () => {
  /** Each test goes on from where the one before has left it. */
  const home = createInProcessStore()
  after(() => home.remove())

  const SHORT_LINE = { QUERIES_RUNNING_MAX: '1', QUERIES_WAITING_MAX: '0' }
  const failures = 'frostline_write_failures_total'

  it('is left out alone where a source fails or does not answer', async () => {
    const disk = { read: async () => 1e12 }
    await home.start({}, { readFreeBytes: () => disk.read() })
    for (const fail of [() => Promise.reject(new Error('EIO')), () => new Promise<number>(() => {})]) {
      disk.read = fail
      const { value } = await scrape(home.url)
      assert.equal(value('frostline_disk_free_bytes'), undefined)
      assert.equal(value('frostline_cold_files'), 0)
      assert.equal(value('frostline_ready'), 1)
    }
  })

  it('counts what could not be written, and the question that could not be answered', async () => {
    const events = sampleEvents(3, 20, '2025-08-01', 1)
    assert.equal((await post(`${home.url}/events`, events)).status, 200)
    await home.compact()
    const path = join(home.layout.cold, home.listed()[0]!)
    renameSync(path, `${path}.away`)
    assert.equal((await get(`${home.url}/stats/dau?${DAY}`)).status, 500)
    assert.equal((await scrape(home.url)).value(failures), 0)
    assert.equal((await post(`${home.url}/events`, events)).status, 503)
    const scraped = await scrape(home.url)
    const { value } = scraped
    assert.equal(value(failures), 1)
    assert.equal(ended(scraped, 'failed'), 1)
    assert.equal(value('frostline_events_total', { outcome: 'accepted' }), 20)
    assert.equal(value('frostline_events_total', { outcome: 'duplicate' }), 0)
    renameSync(`${path}.away`, path)
  })

  it('is not ready while the writer cannot start', async () => {
    await home.stop()
    const path = join(home.layout.cold, home.listed()[0]!)
    renameSync(path, `${path}.away`)
    rmSync(home.layout.ids, { recursive: true })
    await home.startUnready()
    assert.equal((await scrape(home.url)).value('frostline_ready'), 0)
    await home.stop()
    renameSync(`${path}.away`, path)
    await home.start(SHORT_LINE)
    assert.equal((await scrape(home.url)).value('frostline_ready'), 1)
  })

  it('tells the questions of a full line as refused, and those at the time limit as such', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await get(`${home.url}/stats/dau?${DAY}`)).status),
    )
    const busy = await scrape(home.url)
    const refused = statuses.filter((status) => status === 503).length
    assert.ok(refused > 0)
    assert.deepEqual([ended(busy, 'refused'), ended(busy, 'answered')], [refused, 20 - refused])
    await home.stop()

    await home.start({ QUERY_TIMEOUT_MS: '1' })
    const late = await get(`${home.url}/stats/dau?${DAY}`)
    assert.equal(ended(await scrape(home.url), late.status === 200 ? 'answered' : 'timeout'), 1)
  })

  it('tells how many questions run and wait, and who left', async () => {
    await home.start({ QUERIES_RUNNING_MAX: '1', QUERY_THREADS: '1', QUERY_TIMEOUT_MS: '600000' })
    assert.equal((await post(`${home.url}/events`, slowEvents(3_000))).status, 200)
    const ask = () => {
      const begun = begin(`${home.url}/stats/dau?${DAY}${slowSegments(16)}`, 'GET')
      begun.reply.catch(() => {})
      begun.request.end()
      return begun.request
    }
    assert.deepEqual(line(await scrape(home.url)), [0, 0])
    const first = ask()
    await untilScraped(home.url, (s) => line(s)[0] === 1)
    const second = ask()
    await untilScraped(home.url, (s) => line(s)[1] === 1)
    second.destroy()
    await untilScraped(home.url, (s) => line(s)[1] === 0)
    first.destroy()
    assert.equal(ended(await untilScraped(home.url, (s) => line(s)[0] === 0), 'left'), 2)
  })
})
