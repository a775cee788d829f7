import type { Scrape } from './exposition.ts'
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { createKey } from '../src/auth/keys.ts'
import type { Scope } from '../src/auth/scope.ts'
import { METRICS } from '../src/metrics/catalog.ts'
import { openStore } from '../src/sqlite.ts'
import { nowMicros } from '../src/time.ts'
import { scrape, untilScraped } from './exposition.ts'
import { createInProcessStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import { sampleEvents } from './sample.ts'
import { get, post } from './store.ts'
import { begin, eventOf, sendBytes } from './wire.ts'
import { HANGS_AFTER_MS, DAY, bad } from './metrics-samples.ts'

/** More requests at once than the default limit is for. */
const UNLIMITED = { RATE_LIMIT_RPS: 'off' }

const REQUESTS = 'frostline_http_requests_total'

/** How much a series has grown between two looks. */
function grown(from: Scrape, to: Scrape, name: string, labels: Record<string, string> = {}): number {
  return (to.value(name, labels) ?? 0) - (from.value(name, labels) ?? 0)
}

/** How many requests were counted, whatever their labels. */
function total(scraped: Scrape, name: string): number {
  return [...scraped.families.get(name)!.samples]
    .filter(([series]) => series.startsWith(name === REQUESTS ? name : `${name}_count`))
    .reduce((sum, [, value]) => sum + value, 0)
}

describe('GET /metrics', { timeout: HANGS_AFTER_MS }, () => {
  const clock = { ms: 1_000_000 }
  const free_bytes = 123_456_789_012
  let home: InProcessStore
  before(async () => {
    home = createInProcessStore()
    await home.start(UNLIMITED, { now_ms: () => clock.ms, readFreeBytes: async () => free_bytes })
  })
  after(() => home.remove())

  const look = () => scrape(home.url)
  const send = (events: unknown, query = '', headers: Record<string, string> = {}) =>
    sendBytes(
      `${home.url}/events${query}`,
      { 'content-type': 'application/json', ...headers },
      JSON.stringify(events),
    )
  /** Status of a request of any method to any path. */
  async function ask(method: string, path: string): Promise<number> {
    const { request, reply } = begin(home.url, method)
    request.path = path
    request.end()
    return (await reply).status
  }

  it('has every metric that is declared, with its type and meaning, and no other', async () => {
    const { families } = await look()
    const found = [...families].map(([name, { type, help }]) => [name, type, help])
    const declared = Object.entries(METRICS).map(([name, { type, help }]) => [name, type, help])
    assert.deepEqual(found, declared)
  })

  it('has a value for everything without labels, except what has never happened', async () => {
    const scraped = await look()
    const missing = Object.entries(METRICS)
      .filter(
        ([name, { type, labels }]) =>
          labels.length === 0 && type !== 'histogram' && scraped.value(name) === undefined,
      )
      .map(([name]) => name)
    assert.deepEqual(missing, ['frostline_compaction_last_success_timestamp_seconds'])
  })

  it('has the labels that are declared, and no other', async () => {
    await send([eventOf()])
    await get(`${home.url}/stats/dau?${DAY}`)
    for (const [name, { samples }] of (await look()).families) {
      const { labels } = METRICS[name as keyof typeof METRICS]
      for (const series of samples.keys()) {
        const found = [...series.matchAll(/([a-z]+)="/g)].map(([, label]) => label!).filter((l) => l !== 'le')
        assert.deepEqual(found, labels.toSorted(), series)
      }
    }
  })

  it('counts each request once under its method, template and status', async () => {
    const before_all = await look()
    const asked: [method: string, path: string, route: string, status: number][] = [
      ['GET', '/livez', '/livez', 200],
      ['GET', '/livez?a=1', '/livez', 200],
      ['HEAD', '/livez', '/livez', 200],
      ['GET', `/stats/dau?${DAY}`, '/stats/dau', 200],
      ['GET', '/stats/dau', '/stats/dau', 400],
      ['DELETE', '/tiers', '/tiers', 405],
      ['GET', '/dead-letters/1', '/dead-letters/:id', 404],
      ['GET', '/dead-letters/2', '/dead-letters/:id', 404],
      ['POST', '/dead-letters/77/replay', '/dead-letters/:id/replay', 404],
      ['POST', '/events', '/events', 415],
      ['GET', '/nowhere', '/*', 404],
      ['PROPFIND', '/livez', '/livez', 405],
      ['PURGE', '/livez', '/livez', 405],
    ]
    for (const [method, path, , status] of asked) assert.equal(await ask(method, path), status, path)
    const after_all = await look()
    const counts = new Map<string, number>()
    for (const [sent, , route, status] of asked) {
      const method = sent.startsWith('P') && sent !== 'POST' ? 'OTHER' : sent
      const key = JSON.stringify({ method, route, status: String(status) })
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    for (const [key, count] of counts) {
      assert.equal(
        grown(before_all, after_all, REQUESTS, JSON.parse(key) as Record<string, string>),
        count,
        key,
      )
    }
    // The first look counts as well, once it was answered.
    for (const name of [REQUESTS, 'frostline_http_request_duration_seconds'])
      assert.equal(total(after_all, name) - total(before_all, name), asked.length + 1, name)
    const dau = { method: 'GET', route: '/stats/dau' }
    assert.equal(grown(before_all, after_all, 'frostline_http_request_duration_seconds_count', dau), 2)
    assert.ok(grown(before_all, after_all, 'frostline_http_request_duration_seconds_sum', dau) > 0)
  })

  it('makes no series of what clients write', async () => {
    for (const path of ['/nowhere', '/dead-letters/1']) assert.equal(await ask('GET', path), 404)
    assert.equal(await ask('PROPFIND', '/nowhere'), 404)
    assert.equal((await send([eventOf({ event_type: 'plain' })])).status, 200)
    await look()
    const series = (await look()).series()
    for (let i = 0; i < 1_000; i += 1) {
      const path = [`/Zebra-${i}`, `/dead-letters/${i + 5}`, `/livez/${i}`, `/x?q=Zebra-${i}`][i % 4]!
      assert.equal((await get(home.url + path)).status, 404)
    }
    for (const method of ['MKCOL', 'LOCK', 'SEARCH', 'UNBIND']) await ask(method, '/Zebra')
    await send([eventOf({ event_type: 'Zebra', user_id: 'Zebra', properties: { Zebra: 1 } })])
    await ask('GET', `/livez?key=Zebra`)
    assert.deepEqual((await look()).series(), series)
  })

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
    await home.start(UNLIMITED, { now_ms: () => clock.ms, readFreeBytes: async () => free_bytes })
    const scraped = await look()
    assert.equal(scraped.value('frostline_hot_events'), 0)
    assert.equal(scraped.value('frostline_mirror_lag_events'), 0)
  })

  it('times each question under its kind', async () => {
    const from = await look()
    const ranged = 'from=2025-08-01&to=2025-08-31'
    for (const path of [
      `/stats/dau?${ranged}`,
      `/stats/dau?${DAY}`,
      `/stats/top-events?${ranged}`,
      '/stats/retention?start_date=2025-08-01',
      `/events?${ranged}`,
      '/tiers',
    ]) {
      assert.equal((await get(home.url + path)).status, 200)
    }
    assert.equal((await get(`${home.url}/stats/dau?from=never`)).status, 400)
    const to = await look()
    for (const [kind, count] of Object.entries({
      dau: 2,
      top_events: 1,
      retention: 1,
      events: 1,
      tiers: 1,
    })) {
      const labels = { kind, outcome: 'answered' }
      assert.equal(grown(from, to, 'frostline_query_duration_seconds_count', labels), count, kind)
      assert.ok(grown(from, to, 'frostline_query_duration_seconds_sum', labels) > 0, kind)
    }
  })

  it('knows the size of the log, the free disk and the process', async () => {
    await send(Array.from({ length: 100 }, () => eventOf()))
    const scraped = await look()
    assert.equal(scraped.value('frostline_wal_bytes'), statSync(`${home.layout.database}-wal`).size)
    assert.ok(scraped.value('frostline_wal_bytes')! > 0)
    assert.equal(scraped.value('frostline_disk_free_bytes'), free_bytes)
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
    await look()
    // A look forgets when the watch last saw the loop; its timer comes before this one.
    await setTimeout(50)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
    const scraped = await look()
    assert.ok(scraped.value('frostline_event_loop_lag_max_seconds')! >= 0.3)
    assert.ok(
      scraped.value('frostline_event_loop_lag_p99_seconds')! <=
        scraped.value('frostline_event_loop_lag_max_seconds')!,
    )
    await untilScraped(home.url, (s) => s.value('frostline_event_loop_lag_max_seconds')! < 0.3)
  })

  it('answers HEAD like GET, without the text', async () => {
    const { request, reply } = begin(`${home.url}/metrics`, 'HEAD')
    request.end()
    const { status, text, headers } = await reply
    assert.deepEqual([status, text], [200, ''])
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  })

  it('gives those who ask at once the same', async () => {
    const texts = await Promise.all(
      Array.from({ length: 8 }, async () => (await fetch(`${home.url}/metrics`)).text()),
    )
    for (const text of texts) assert.ok(text.includes('frostline_disk_free_bytes 123456789012\n'))
  })

  it('shares nothing with another service in the same process', async () => {
    const other = createInProcessStore()
    try {
      await other.start()
      const from = await look()
      await post(`${other.url}/events`, [eventOf(), bad()])
      await get(`${other.url}/stats/dau?${DAY}`)
      const accepted = { outcome: 'accepted' }
      assert.equal((await scrape(other.url)).value('frostline_events_total', accepted), 1)
      const to = await look()
      for (const name of [
        'frostline_commit_events_count',
        'frostline_dead_letters',
        'frostline_events_per_second',
      ])
        assert.equal(grown(from, to, name), 0, name)
      assert.equal(grown(from, to, 'frostline_events_total', accepted), 0)
      assert.equal(grown(from, to, REQUESTS, { method: 'POST', route: '/events', status: '200' }), 0)
    } finally {
      await other.remove()
    }
  })
})

describe('who may look', { timeout: HANGS_AFTER_MS }, () => {
  it('is everybody while the store is open, and then who has the scope read', async (t) => {
    const home = createInProcessStore()
    t.after(() => home.remove())
    await home.start()
    await scrape(home.url)
    const keyFor = (scope: Scope) =>
      home.inSqlite((db) => createKey(db, 'prometheus', [scope], nowMicros())).key
    async function statusWith(headers: Record<string, string>): Promise<number> {
      const { request, reply } = begin(`${home.url}/metrics`, 'GET', headers)
      request.end()
      return (await reply).status
    }
    const read = keyFor('read')
    assert.equal(await statusWith({}), 401)
    assert.equal(await statusWith({ authorization: `Bearer ${keyFor('ingest')}` }), 403)
    const { value } = await scrape(home.url, { authorization: `Bearer ${read}` })
    const route = { method: 'GET', route: '/metrics' }
    assert.equal(value(REQUESTS, { ...route, status: '401' }), 1)
    assert.equal(value(REQUESTS, { ...route, status: '403' }), 1)
    assert.equal(value(REQUESTS, { ...route, status: '200' }), 1)
  })
})
