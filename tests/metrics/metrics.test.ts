import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKey } from '../../src/auth/keys.ts'
import type { Scope } from '../../src/auth/scope.ts'
import { METRICS } from '../../src/metrics/catalog.ts'
import { nowMicros } from '../../src/event/time.ts'
import { scrape } from '../support/exposition.ts'
import type { Scrape } from '../support/exposition.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { DAY, REQUESTS, bad, grown, serveMetrics } from '../support/measuring.ts'
import { get, post } from '../support/store.ts'
import { begin, eventOf } from '../support/wire.ts'

/** How many requests were counted, whatever their labels. */
function total(scraped: Scrape, name: string): number {
  return [...scraped.families.get(name)!.samples]
    .filter(([series]) => series.startsWith(name === REQUESTS ? name : `${name}_count`))
    .reduce((sum, [, value]) => sum + value, 0)
}

describe('GET /metrics', { timeout: HANGS_AFTER_MS }, () => {
  const { home, look, send, ask } = serveMetrics()

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
    for (let i = 0; i < 100; i += 1) {
      const path = [`/Zebra-${i}`, `/dead-letters/${i + 5}`, `/livez/${i}`, `/x?q=Zebra-${i}`][i % 4]!
      assert.equal((await get(home.url + path)).status, 404)
    }
    for (const method of ['MKCOL', 'LOCK', 'SEARCH', 'UNBIND']) await ask(method, '/Zebra')
    await send([eventOf({ event_type: 'Zebra', user_id: 'Zebra', properties: { Zebra: 1 } })])
    await ask('GET', `/livez?key=Zebra`)
    assert.deepEqual((await look()).series(), series)
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
