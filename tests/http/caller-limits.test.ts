import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { eventOf } from '../support/wire.ts'
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { createInProcessStore } from '../support/in-process.ts'
import { ask, bearer, postJson, assertProblem, createClocks, makeKeyIn } from '../support/auth.ts'

const batch = (count: number) => Array.from({ length: count }, () => eventOf({ event_type: 'limited' }))

describe('the rate limit', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  const home = createInProcessStore()
  after(() => home.remove())

  const storedEvents = () =>
    home.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get() as number)

  it('of requests lets the last one of the burst pass and refuses the next, for each key', async () => {
    await home.start({ RATE_LIMIT_RPS: '2', RATE_LIMIT_BURST: '5', RATE_LIMIT_EPS: 'off' }, clocks.seams)
    const keys = [makeKeyIn(home, 'read').key, makeKeyIn(home, 'read').key]
    const tiers = (key: string) => ask(`${home.url}/tiers`, { headers: bearer(key) })
    for (const key of keys) {
      for (let left = 4; left >= 0; left -= 1) {
        const { status, headers } = await tiers(key)
        assert.equal(status, 200)
        assert.equal(headers.get('ratelimit-policy'), '"requests";q=5;w=3')
        assert.equal(headers.get('ratelimit'), `"requests";r=${left};t=${Math.ceil((5 - left) / 2)}`)
      }
      const refused = await tiers(key)
      assertProblem(refused, 429, 'rate_limited')
      assert.equal(refused.headers.get('retry-after'), '1')
      assert.equal(refused.headers.get('ratelimit'), '"requests";r=0;t=1')
      assert.equal(refused.headers.get('ratelimit-policy'), '"requests";q=5;w=3')
    }
    clocks.setWallClock(clocks.s + 86_400)
    assert.equal((await tiers(keys[0]!)).status, 429)
    clocks.pass(499)
    assert.equal((await tiers(keys[0]!)).status, 429)
    clocks.pass(1)
    assert.equal((await tiers(keys[0]!)).status, 200)
    assert.equal((await tiers(keys[0]!)).status, 429)
    // Probes have no limit, and no field of it.
    for (let i = 0; i < 20; i += 1) {
      const { status, headers } = await ask(`${home.url}/livez`)
      assert.equal(status, 200)
      assert.equal(headers.get('ratelimit'), null)
    }
  })

  it('counts refusals too: without a key by address, with the wrong scope by key', async () => {
    clocks.pass(60_000)
    const { key } = makeKeyIn(home, 'ingest')
    const tiers = (headers: Record<string, string>) => ask(`${home.url}/tiers`, { headers })
    for (let i = 0; i < 5; i += 1) {
      assertProblem(await tiers(i % 2 === 0 ? {} : bearer('fl_x')), 401, 'unauthorized')
      const answer = await tiers(bearer(key))
      assertProblem(answer, 403, 'forbidden')
      assert.equal(answer.headers.get('ratelimit'), `"requests";r=${4 - i};t=${Math.ceil((i + 1) / 2)}`)
    }
    assertProblem(await tiers({}), 429, 'rate_limited')
    assertProblem(await tiers(bearer(key)), 429, 'rate_limited')
    // An address that guesses takes nothing from a key behind the same address.
    assert.equal((await tiers(bearer(makeKeyIn(home, 'read').key))).status, 200)
    await home.stop()
  })

  it('of events refuses a whole batch before it is stored, and none for ever', async () => {
    await home.start({ RATE_LIMIT_RPS: 'off', RATE_LIMIT_EPS: '10' }, clocks.seams)
    const { key } = makeKeyIn(home, 'ingest')
    const send = (count: number) => ask(`${home.url}/events`, postJson(batch(count), bearer(key)))
    const nine = await send(9)
    assert.equal(nine.status, 200)
    assert.equal(nine.headers.get('ratelimit-policy'), '"events";q=10;w=1;qu="events"')
    assert.equal(nine.headers.get('ratelimit'), '"events";r=1;t=1')
    const refused = await send(2)
    assertProblem(refused, 429, 'rate_limited')
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal(refused.headers.get('ratelimit'), '"events";r=0;t=1')
    assert.equal(storedEvents(), 9)
    assert.equal((await send(1)).status, 200)
    assertProblem(await send(1), 429, 'rate_limited')
    // Larger than the burst: when the bucket is full, and paid for afterwards.
    clocks.pass(999)
    assertProblem(await send(40), 429, 'rate_limited')
    clocks.pass(1)
    assert.equal((await send(40)).status, 200)
    assert.equal(storedEvents(), 50)
    const waiting = await send(1)
    assert.equal(waiting.headers.get('retry-after'), '4')
    clocks.pass(3_100)
    assert.equal((await send(1)).status, 200)
  })

  it('of events counts rejected ones, and refuses who has none left before the body is read', async () => {
    const { key } = makeKeyIn(home, 'ingest')
    const send = (body: unknown, headers = {}) =>
      ask(`${home.url}/events`, postJson(body, { ...bearer(key), ...headers }))
    const rejected = await send(Array.from({ length: 10 }, () => 1))
    assertProblem(rejected, 422, 'invalid_events')
    assert.equal(rejected.headers.get('ratelimit'), '"events";r=0;t=1')
    // The body could not be read: its coding is unknown.
    const refused = await send([], { 'content-encoding': 'none of them' })
    assertProblem(refused, 429, 'rate_limited')
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal(refused.headers.get('ratelimit'), '"events";r=0;t=1')
    clocks.pass(100)
    assertProblem(await send([], { 'content-encoding': 'none of them' }), 415, 'unsupported_media_type')
    assert.equal((await send(batch(1))).status, 200)
    await home.stop()
  })

  it('counts by address without keys, and believes only a proxy that is configured', async () => {
    const open = createInProcessStore()
    try {
      const limits = { RATE_LIMIT_RPS: '1', RATE_LIMIT_BURST: '1' }
      const from = (forwarded: string) =>
        ask(`${open.url}/tiers`, { headers: { 'x-forwarded-for': forwarded } })
      await open.start(limits, clocks.seams)
      assert.equal((await from('198.51.100.1')).status, 200)
      assert.equal((await from('198.51.100.2')).status, 429)
      await open.stop()
      await open.start({ ...limits, TRUSTED_PROXIES: '127.0.0.0/8' }, clocks.seams)
      assert.equal((await from('198.51.100.1')).status, 200)
      assert.equal((await from('198.51.100.2')).status, 200)
      assert.equal((await from('198.51.100.2')).status, 429)
      assert.equal((await from('203.0.113.7, 198.51.100.2')).status, 429)
    } finally {
      await open.remove()
    }
  })

  it('that is off is not told of', async () => {
    await home.start({ RATE_LIMIT_RPS: 'off', RATE_LIMIT_EPS: 'off', RATE_LIMIT_BURST: '1' }, clocks.seams)
    const { key } = makeKeyIn(home, 'admin')
    for (let i = 0; i < 5; i += 1) {
      const { status, headers } = await ask(`${home.url}/events`, postJson(batch(100), bearer(key)))
      assert.equal(status, 200)
      assert.equal(headers.get('ratelimit'), null)
      assert.equal(headers.get('ratelimit-policy'), null)
    }
  })
})
