import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { at, overBothTiers, serveQuestions } from '../support/asking.ts'
import type { Dau, TopEvents } from '../support/asking.ts'

describe('questions', () => {
  const home = serveQuestions()
  const { put, ask } = home

  // Every group of events lies on days of its own; all of them are long closed.
  before(async () => {
    // Daily users.
    await put([
      at('u1', '2024-01-01T00:00:00Z'),
      at('u1', '2024-01-01T09:00:00Z', { event_type: 'purchase' }),
      at('u2', '2024-01-01T23:59:59.999999Z'),
      at('u2', '2024-01-02T00:00:00Z'),
      at('u1', '2024-01-03T12:00:00Z'),
      at('u3', '2024-01-05T23:59:59.999999Z'),
      at('u4', '2023-12-31T23:59:59.999999Z'),
      at('u4', '2024-01-06T00:00:00Z'),
    ])
    // Ties.
    const counts = { banana: 2, apple: 2, Zebra: 2, cherry: 3, äpfel: 2, once: 1 }
    for (const [event_type, count] of Object.entries(counts)) {
      await put(Array.from({ length: count }, () => at('u1', '2024-02-01T10:00:00Z', { event_type })))
    }
    await put(Array.from({ length: 12 }, (_, i) => at('u1', '2024-02-02', { event_type: `type_${10 + i}` })))
  })

  overBothTiers(home, (tier) => {
    describe('/stats/dau', () => {
      it('answers every day of the range, both ends included, and zero where nobody came', async () => {
        const answer = await ask<Dau>('/stats/dau', { from: '2024-01-01', to: '2024-01-05' })
        assert.equal(answer.from, '2024-01-01')
        assert.equal(answer.to, '2024-01-05')
        assert.deepEqual(answer.data, [
          { date: '2024-01-01', dau: 2 },
          { date: '2024-01-02', dau: 1 },
          { date: '2024-01-03', dau: 1 },
          { date: '2024-01-04', dau: 0 },
          { date: '2024-01-05', dau: 1 },
        ])
      })

      it('answers a single day', async () => {
        const answer = await ask<Dau>('/stats/dau', { from: '2024-01-05', to: '2024-01-05' })
        assert.deepEqual(answer.data, [{ date: '2024-01-05', dau: 1 }])
      })

      it('answers days of which nothing is known', async () => {
        const answer = await ask<Dau>('/stats/dau', { from: '1999-12-31', to: '2000-03-01' })
        assert.equal(answer.data.length, 62)
        assert.ok(answer.data.every(({ dau }) => dau === 0))
        assert.equal(answer.data.find(({ date }) => date === '2000-02-29')?.dau, 0)
      })

      it('answers ten years, and the ends of the calendar', async () => {
        const years = await ask<Dau>('/stats/dau', { from: '2020-01-01', to: '2030-01-07' })
        assert.equal(years.data.length, 3_660)
        const first = await ask<Dau>('/stats/dau', { from: '1970-01-01', to: '1970-01-01' })
        assert.equal(first.data.length, 1)
        const last = await ask<Dau>('/stats/dau', { from: '9999-12-31', to: '9999-12-31' })
        assert.deepEqual(last.data, [{ date: '9999-12-31', dau: null }])
      })

      it('says what was read', async () => {
        const { meta } = await ask<Dau>('/stats/dau', { from: '2024-01-01', to: '2024-01-05' })
        const { took_ms, ...read } = meta
        assert.ok(took_ms >= 0)
        assert.deepEqual(
          read,
          tier === 'hot'
            ? { hot_events: 6, cold_events: 0, cold_files: 0, answered_from: 'sets' }
            : { hot_events: 0, cold_events: 6, cold_files: 4, answered_from: 'sets' },
        )
        const nothing = await ask<Dau>('/stats/dau', { from: '2024-01-04', to: '2024-01-04' })
        assert.deepEqual(
          [nothing.meta.hot_events, nothing.meta.cold_events, nothing.meta.cold_files],
          [0, 0, 0],
        )
      })
    })

    describe('/stats/top-events', () => {
      const day = { from: '2024-02-01', to: '2024-02-01' }

      it('sorts by count, and what is equal by the bytes of its name', async () => {
        const answer = await ask<TopEvents>('/stats/top-events', day)
        assert.deepEqual(
          answer.data.map(({ event_type, count }) => [event_type, count]),
          [
            ['cherry', 3],
            ['Zebra', 2],
            ['apple', 2],
            ['banana', 2],
            ['äpfel', 2],
            ['once', 1],
          ],
        )
      })

      it('stops at the limit, within a tie too, and at 10 without one', async () => {
        const three = await ask<TopEvents>('/stats/top-events', { ...day, limit: '3' })
        assert.deepEqual(
          three.data.map(({ event_type }) => event_type),
          ['cherry', 'Zebra', 'apple'],
        )
        const ten = await ask<TopEvents & Record<string, unknown>>('/stats/top-events', {
          from: '2024-02-02',
          to: '2024-02-02',
        })
        assert.equal(ten['limit'], 10)
        assert.equal(ten.data.length, 10)
        assert.equal(ten.data.at(-1)!.event_type, 'type_19')
        const all = await ask<TopEvents>('/stats/top-events', {
          from: '2024-02-02',
          to: '2024-02-02',
          limit: '1000',
        })
        assert.equal(all.data.length, 12)
      })

      it('counts both ends of the range', async () => {
        const parameters = { from: '2024-01-01', to: '2024-01-05', segment: 'event_type:app_open' }
        const answer = await ask<TopEvents>('/stats/top-events', parameters)
        assert.deepEqual(answer.data, [{ event_type: 'app_open', count: 5 }])
      })

      it('answers an empty list where nothing happened', async () => {
        const answer = await ask<TopEvents>('/stats/top-events', { from: '2001-01-01', to: '2001-02-01' })
        assert.deepEqual(answer.data, [])
      })
    })
  })
})
