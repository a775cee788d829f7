import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { at, overBothTiers, serveQuestions } from '../support/asking.ts'
import type { Meta } from '../support/asking.ts'

describe('questions', () => {
  const home = serveQuestions()
  const { put, ask } = home

  before(async () => {
    // Daily retention: a, b and c are the cohort of March 1.
    await put([
      at('a', '2024-03-01T00:00:00Z', { event_type: 'buy' }),
      at('b', '2024-03-01T10:00:00Z'),
      at('c', '2024-03-01T23:59:59.999999Z'),
      at('a', '2024-03-02T00:00:00Z'),
      at('a', '2024-03-02T01:00:00Z', { event_type: 'buy' }),
      at('b', '2024-03-02T23:59:59.999999Z'),
      at('stranger', '2024-03-02T12:00:00Z'),
      at('stranger', '2024-03-03T12:00:00Z'),
      at('c', '2024-03-04T12:00:00Z', { event_type: 'buy' }),
      at('b', '2024-03-05T00:00:00Z'),
    ])
    // Weekly retention: a, b and c are the cohort of the week from April 1 to 7.
    await put([
      at('a', '2024-04-01T00:00:00Z'),
      at('c', '2024-04-03T10:00:00Z'),
      at('a', '2024-04-05T10:00:00Z'),
      at('b', '2024-04-07T23:59:59.999999Z'),
      at('early', '2024-03-31T23:59:59.999999Z'),
      at('a', '2024-04-08T00:00:00Z'),
      at('b', '2024-04-14T23:59:59.999999Z'),
      at('b', '2024-04-09T10:00:00Z'),
      at('early', '2024-04-09T10:00:00Z'),
      at('c', '2024-04-15T00:00:00Z'),
      at('a', '2024-04-29T00:00:00Z'),
    ])
  })

  overBothTiers(home, () => {
    describe('/stats/retention', () => {
      it('follows the users of a day through the days after it', async () => {
        const { meta, ...answer } = await ask<{ meta: Meta }>('/stats/retention', {
          start_date: '2024-03-01',
          windows: '4',
          window: 'day',
        })
        assert.deepEqual(answer, {
          start_date: '2024-03-01',
          window: 'day',
          windows: 4,
          cohort_size: 3,
          data: [
            { window: 1, from: '2024-03-02', to: '2024-03-02', users: 2, rate: 0.6667 },
            { window: 2, from: '2024-03-03', to: '2024-03-03', users: 0, rate: 0 },
            { window: 3, from: '2024-03-04', to: '2024-03-04', users: 1, rate: 0.3333 },
            { window: 4, from: '2024-03-05', to: '2024-03-05', users: 1, rate: 0.3333 },
          ],
        })
        assert.equal(meta.hot_events + meta.cold_events, 10)
      })

      it('follows the users of a week through the weeks after it', async () => {
        const { meta, ...answer } = await ask<{ meta: Meta }>('/stats/retention', {
          start_date: '2024-04-01',
          windows: '3',
          window: 'week',
        })
        assert.deepEqual(answer, {
          start_date: '2024-04-01',
          window: 'week',
          windows: 3,
          cohort_size: 3,
          data: [
            { window: 1, from: '2024-04-08', to: '2024-04-14', users: 2, rate: 0.6667 },
            { window: 2, from: '2024-04-15', to: '2024-04-21', users: 1, rate: 0.3333 },
            { window: 3, from: '2024-04-22', to: '2024-04-28', users: 0, rate: 0 },
          ],
        })
        assert.equal(meta.hot_events + meta.cold_events, 9)
      })

      it('has three windows of a day unless told otherwise', async () => {
        const answer = await ask<{ windows: number; window: string; data: unknown[] }>('/stats/retention', {
          start_date: '2024-03-01',
        })
        assert.deepEqual([answer.windows, answer.window, answer.data.length], [3, 'day', 3])
      })

      it('holds a segment against the cohort and against those who return', async () => {
        const answer = await ask<{ cohort_size: number; data: { users: number }[] }>('/stats/retention', {
          start_date: '2024-03-01',
          segment: 'event_type:buy',
        })
        assert.equal(answer.cohort_size, 1)
        assert.deepEqual(
          answer.data.map(({ users }) => users),
          [1, 0, 0],
        )
      })

      it('of an empty cohort is zero', async () => {
        const answer = await ask<{ cohort_size: number; data: { users: number; rate: number }[] }>(
          '/stats/retention',
          { start_date: '2001-01-01', windows: '366', window: 'week' },
        )
        assert.equal(answer.cohort_size, 0)
        assert.equal(answer.data.length, 366)
        assert.ok(answer.data.every(({ users, rate }) => users === 0 && rate === 0))
      })
    })
  })
})
