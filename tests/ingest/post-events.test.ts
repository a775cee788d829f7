import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { MARKER, servePosting } from '../support/posting.ts'
import { post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

function badEvents(count: number): unknown[] {
  return Array.from({ length: count }, () => eventOf({ user_id: '' }))
}

// What never happens is waited for in vain; better to fail than to hang.
describe('POST /events', { timeout: HANGS_AFTER_MS }, () => {
  const home = servePosting()

  describe('identity', () => {
    it('counts an id that stands twice in one batch once', async () => {
      const [a, b] = [eventOf({ event_type: 'twice' }), eventOf({ event_type: 'twice' })]
      const { json } = await post(home.events_url, [a, b, a, { ...a, event_type: 'twice_other' }, b])
      assert.deepEqual(json, { received: 5, accepted: 2, duplicates: 3, rejected: 0, errors: [] })
      assert.equal(await home.countOf('twice'), 2)
      assert.equal(await home.countOf('twice_other'), 0)
    })

    it('keeps the first of two that differ, also across requests', async () => {
      const first = eventOf({ event_type: 'first', occurred_at: '2025-03-01T00:00:00Z' })
      await post(home.events_url, [first])
      const second = { ...first, event_type: 'second', occurred_at: '2025-03-02T00:00:00Z' }
      assert.equal((await post(home.events_url, [second])).json['duplicates'], 1)
      assert.deepEqual([await home.countOf('first'), await home.countOf('second')], [1, 0])
      assert.deepEqual([await home.usersOn('2025-03-01'), await home.usersOn('2025-03-02')], [1, 0])
    })

    it('takes an id in upper case for the same id', async () => {
      const event = eventOf({ event_type: 'upper' })
      const upper = { ...event, event_id: String(event['event_id']).toUpperCase() }
      assert.equal((await post(home.events_url, [upper, event])).json['duplicates'], 1)
      assert.equal((await post(home.events_url, [event])).json['duplicates'], 1)
      assert.equal(await home.countOf('upper'), 1)
      const bad = { ...upper, user_id: '' }
      const { json } = await post(home.events_url, [bad, event])
      assert.equal((json['errors'] as { event_id: string }[])[0]!.event_id, event['event_id'])
    })

    it('takes user 1 and user "1" for the same user', async () => {
      const occurred_at = '2025-04-01T00:00:00Z'
      const ids = [1, '1', 1.0, '01', '1.0', ' 1', -0, 0, '0']
      await post(
        home.events_url,
        ids.map((user_id) => eventOf({ user_id, occurred_at })),
      )
      assert.equal(await home.usersOn('2025-04-01'), 5) // 1, 01, 1.0, " 1", 0
      assert.equal(await home.usersOn('2025-04-01', '&segment=user_id:1'), 1)
    })

    it('stores each of many equal requests at once exactly once', async () => {
      const events = Array.from({ length: 50 }, () => eventOf({ event_type: 'raced' }))
      const replies = await Promise.all(Array.from({ length: 20 }, () => post(home.events_url, events)))
      const accepted = replies.map(({ json }) => Number(json['accepted']))
      assert.equal(
        accepted.reduce((n, m) => n + m, 0),
        50,
      )
      assert.equal(await home.countOf('raced'), 50)
    })
  })

  describe('the time', () => {
    it('decides the UTC day to the microsecond, whatever its offset', async () => {
      const times = {
        '2025-05-01': [
          '2025-05-01',
          '2025-05-01T00:00:00.000000Z',
          '2025-05-01T23:59:59.999999Z',
          '2025-05-01T23:59:59.999999999Z',
          '2025-05-02T02:59:59.999999+03:00',
          '2025-04-30T19:00:00-05:00',
          '2025-05-01T05:45:00+0545',
        ],
        '2025-05-02': ['2025-05-02T00:00:00Z', '2025-05-02T03:00:00+03:00', '2025-05-01T23:00:00-01'],
      }
      for (const [day, list] of Object.entries(times)) {
        const events = list.map((occurred_at, i) => eventOf({ occurred_at, user_id: `${day}-${i}` }))
        assert.equal((await post(home.events_url, events)).json['accepted'], list.length)
      }
      assert.equal(await home.usersOn('2025-05-01'), 7)
      assert.equal(await home.usersOn('2025-05-02'), 3)
      assert.equal(await home.usersOn('2025-04-30'), 0)
    })
  })

  describe('rejection', () => {
    it('lists at most 100 errors and says when there are more', async () => {
      const hundred = await post(home.events_url, [...badEvents(100), eventOf()])
      assert.equal(hundred.json['rejected'], 100)
      assert.equal((hundred.json['errors'] as unknown[]).length, 100)
      assert.equal('errors_truncated' in hundred.json, false)
      const more = await post(home.events_url, [eventOf(), ...badEvents(101)])
      assert.equal(more.status, 200)
      assert.equal(more.json['accepted'], 1)
      assert.equal(more.json['rejected'], 101)
      assert.equal((more.json['errors'] as unknown[]).length, 100)
      assert.equal(more.json['errors_truncated'], true)
      const all = await post(home.events_url, badEvents(101))
      assert.equal(all.status, 422)
      assert.equal((all.json['errors'] as unknown[]).length, 100)
      assert.equal(all.json['errors_truncated'], true)
    })

    it('of every event is answered with 422', async () => {
      const { status, headers, json } = await post(home.events_url, [eventOf({ event_type: '' }), 1])
      assert.equal(status, 422)
      assert.equal(headers.get('content-type'), 'application/problem+json')
      assert.equal(json['type'], '/problems/invalid_events')
      assert.equal(json['status'], 422)
      assert.deepEqual(
        [json['received'], json['accepted'], json['duplicates'], json['rejected']],
        [2, 0, 0, 2],
      )
      assert.deepEqual(
        (json['errors'] as { index: number; path: string }[]).map(({ index, path }) => [index, path]),
        [
          [0, 'event_type'],
          [1, ''],
        ],
      )
    })

    it('refuses a misspelt or repeated strict instead of storing what was to be refused', async () => {
      for (const query of [
        '?stric=true',
        '?strict=true&strict=true',
        '?strict=yes',
        '?strict=',
        '?strict=true&x=1',
      ]) {
        const reply = await post(home.events_url + query, [eventOf({ event_type: 'misspelt' })])
        assert.equal(reply.status, 400, query)
        assert.equal(reply.json['type'], '/problems/invalid_parameter')
      }
      assert.equal(await home.countOf('misspelt'), 0)
    })

    it('of one event stores nothing when the client is strict', async () => {
      const batch = [eventOf({ event_type: 'strict' }), eventOf({ event_type: 'strict', user_id: '' })]
      const strict = await post(`${home.events_url}?strict=true`, batch)
      assert.equal(strict.status, 422)
      assert.equal(strict.json['type'], '/problems/invalid_events')
      assert.equal(strict.json['accepted'], 0)
      assert.equal((strict.json['errors'] as { index: number }[])[0]!.index, 1)
      assert.equal(await home.countOf('strict'), 0)
      const lenient = await post(`${home.events_url}?strict=false`, batch)
      assert.equal(lenient.status, 200)
      assert.equal(await home.countOf('strict'), 1)
      const repaired = [batch[0], eventOf({ event_type: 'strict' })]
      const again = await post(`${home.events_url}?strict=true`, repaired)
      assert.deepEqual([again.json['accepted'], again.json['duplicates']], [1, 1])
    })

    it('meets a strict that is neither true nor false', async () => {
      for (const value of ['1', 'yes', 'TRUE', '', MARKER]) {
        const { status, json } = await post(`${home.events_url}?strict=${value}`, [eventOf()])
        assert.equal(status, 400, value)
        assert.equal(json['type'], '/problems/invalid_parameter')
        assert.equal((json['errors'] as { path: string }[])[0]!.path, 'strict')
      }
    })
  })
})
