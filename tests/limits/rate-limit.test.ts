import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { clientAddress, networkOf, parseProxies } from '../../src/limits/address.ts'
import { createBuckets } from '../../src/limits/buckets.ts'
import { policyOf, stateOf } from '../../src/http/rate-limit-fields.ts'

/** A clock that stands until it is moved. */
function createClock(at_ms = 1_000_000_007.3) {
  let now_ms = at_ms
  return {
    now_ms: () => now_ms,
    pass(ms: number) {
      now_ms += ms
    },
  }
}

describe('a token bucket', () => {
  for (const rate of [
    { per_s: 1, burst: 1 },
    { per_s: 3, burst: 7 },
    { per_s: 10 / 60, burst: 10 },
    { per_s: 2_000, burst: 4_000 },
    { per_s: 999_983, burst: 3 },
  ]) {
    it(`of ${rate.burst} at ${rate.per_s} a second gives exactly its burst, and one more when that has come`, () => {
      const { now_ms, pass } = createClock()
      const buckets = createBuckets(rate, now_ms)
      for (let i = 0; i < rate.burst; i += 1) {
        assert.equal(buckets.state('a').left, rate.burst - i)
        assert.equal(buckets.take('a', 1), 0, `token ${i + 1}`)
      }
      assert.equal(buckets.state('a').left, 0)
      const wait_s = buckets.take('a', 1)
      assert.ok(Math.abs(wait_s - 1 / rate.per_s) < 1e-5, `${wait_s}`)
      pass(wait_s * 1_000 - 0.01 * (1_000 / rate.per_s) - 0.002)
      assert.ok(buckets.take('a', 1) > 0)
      pass(0.01 * (1_000 / rate.per_s) + 0.002)
      assert.equal(buckets.take('a', 1), 0)
      assert.ok(buckets.take('a', 1) > 0)
    })
  }

  it('never holds more than its burst, however long it rests', () => {
    const { now_ms, pass } = createClock()
    const buckets = createBuckets({ per_s: 5, burst: 10 }, now_ms)
    buckets.take('a', 10)
    pass(86_400_000)
    assert.deepEqual(buckets.state('a'), { left: 10, full_in_s: 0 })
    assert.equal(buckets.take('a', 10), 0)
    assert.ok(buckets.take('a', 1) > 0)
  })

  it('refuses a batch as a whole: nothing is taken', () => {
    const { now_ms } = createClock()
    const buckets = createBuckets({ per_s: 100, burst: 100 }, now_ms)
    buckets.take('a', 40)
    assert.ok(Math.abs(buckets.take('a', 61) - 0.01) < 1e-6)
    assert.equal(buckets.state('a').left, 60)
    assert.equal(buckets.take('a', 60), 0)
  })

  it('lets a batch larger than the burst pass when it is full, and takes the time for all of it', () => {
    const { now_ms, pass } = createClock()
    const buckets = createBuckets({ per_s: 100, burst: 100 }, now_ms)
    buckets.take('a', 1)
    assert.ok(buckets.take('a', 1_000) > 0)
    pass(10)
    assert.equal(buckets.take('a', 1_000), 0)
    assert.equal(buckets.state('a').left, 0)
    assert.ok(Math.abs(buckets.take('a', 1) - 9.01) < 1e-6)
    pass(9_010)
    assert.equal(buckets.take('a', 1), 0)
  })

  it('is one for each name', () => {
    const { now_ms } = createClock()
    const buckets = createBuckets({ per_s: 1, burst: 1 }, now_ms)
    assert.equal(buckets.take('a', 1), 0)
    assert.equal(buckets.take('b', 1), 0)
    assert.ok(buckets.take('a', 1) > 0)
  })
})

describe('the buckets remembered', () => {
  const rate = { per_s: 1, burst: 2 }

  it('are never more than the limit, and a full one goes before one that is not', () => {
    const { now_ms, pass } = createClock()
    const buckets = createBuckets(rate, now_ms, 3)
    buckets.take('debtor', 2)
    buckets.take('b', 1)
    buckets.take('c', 1)
    assert.equal(buckets.size, 3)
    // b and c are full again, the debtor is not, although it is the oldest.
    pass(1_500)
    buckets.take('d', 1)
    assert.ok(buckets.size <= 3)
    assert.equal(buckets.state('debtor').left, 1)
    assert.ok(buckets.take('debtor', 2) > 0)
  })

  it('lose the one that was not touched for the longest time when none is full', () => {
    const { now_ms } = createClock()
    const buckets = createBuckets(rate, now_ms, 3)
    for (const name of ['a', 'b', 'c', 'a']) buckets.take(name, 1)
    buckets.take('d', 2)
    assert.equal(buckets.size, 3)
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => buckets.state(name).left),
      [0, 2, 1, 0],
    )
  })

  it('stay within the limit in a flood of newcomers', () => {
    const { now_ms, pass } = createClock()
    const buckets = createBuckets(rate, now_ms, 100)
    for (let i = 0; i < 10_000; i += 1) {
      buckets.take(`n${i}`, 1)
      pass(i % 7)
      assert.ok(buckets.size <= 100)
    }
  })
})

describe('the RateLimit fields', () => {
  it('tell burst, window, what is left and when it is whole', () => {
    const { now_ms } = createClock()
    const limits = [
      { name: 'requests', buckets: createBuckets({ per_s: 3, burst: 10 }, now_ms) },
      { name: 'events', buckets: createBuckets({ per_s: 100, burst: 100 }, now_ms) },
    ] as const
    limits[0].buckets.take('a', 4)
    assert.equal(policyOf(limits), '"requests";q=10;w=4, "events";q=100;w=1;qu="events"')
    assert.equal(stateOf(limits, 'a'), '"requests";r=6;t=2, "events";r=100;t=0')
    const refused = { name: 'events', retry_after_s: 7 } as const
    assert.equal(stateOf(limits, 'a', refused), '"requests";r=6;t=2, "events";r=0;t=7')
  })
})

describe('the address of a client', () => {
  const proxies = parseProxies('10.0.0.0/8, 192.0.2.1,2001:db8::/32')!

  it('is the one of the connection, whatever a stranger writes', () => {
    assert.equal(clientAddress('203.0.113.9', '198.51.100.1', proxies), '203.0.113.9')
    assert.equal(clientAddress('203.0.113.9', '10.0.0.1, 10.0.0.2', proxies), '203.0.113.9')
    assert.equal(clientAddress('10.0.0.1', undefined, proxies), '10.0.0.1')
    assert.equal(clientAddress('127.0.0.1', '198.51.100.1', parseProxies('')!), '127.0.0.1')
    assert.equal(clientAddress(undefined, '198.51.100.1', proxies), '')
  })

  it('is what the nearest proxy of ours saw, not what the client wrote before it', () => {
    for (const [remote, forwarded, client] of [
      ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
      ['10.0.0.1', '1.2.3.4, 198.51.100.1', '198.51.100.1'],
      ['10.0.0.1', '1.2.3.4, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
      ['::ffff:192.0.2.1', '198.51.100.1:4711', '198.51.100.1'],
      ['2001:db8::7', '[2001:470::1]:80', '2001:470::1'],
      ['10.0.0.1', 'unknown', '10.0.0.1'],
      ['10.0.0.1', '198.51.100.1, not an address', '10.0.0.1'],
      ['10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.2'],
      ['10.0.0.1', '', '10.0.0.1'],
    ] as const) {
      assert.equal(clientAddress(remote, forwarded, proxies), client, `${remote} for ${forwarded}`)
    }
  })

  it('of IPv6 counts with its network of 64 bits', () => {
    assert.equal(networkOf('2001:db8:0:1::5'), networkOf('2001:db8:0:1:ffff:1:2:3'))
    assert.notEqual(networkOf('2001:db8:0:1::5'), networkOf('2001:db8:0:2::5'))
    assert.equal(networkOf('::1'), '0:0:0:0::/64')
    assert.equal(networkOf('198.51.100.1'), '198.51.100.1')
  })

  it('needs proxies that are addresses or ranges', () => {
    for (const list of [
      '',
      '10.0.0.1',
      '10.0.0.0/8,::1',
      'fe80::/10',
      '0.0.0.0/0',
      '10.0.0.0/32',
      '::/128',
    ]) {
      assert.notEqual(parseProxies(list), null, list)
    }
    for (const list of [
      'all',
      '10.0.0',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
    ]) {
      assert.equal(parseProxies(list), null, list)
    }
  })
})
