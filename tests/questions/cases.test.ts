import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import type { FunnelAnswer } from '../../src/questions/funnel.ts'
import type { LifecycleAnswer } from '../../src/questions/lifecycle.ts'
import type { RetentionAnswer } from '../../src/questions/retention.ts'
import type { SessionsAnswer } from '../../src/questions/sessions.ts'
import type { TrendAnswer } from '../../src/questions/trend.ts'
import { at, overBothTiers, serveQuestions } from '../support/asking.ts'

/** Cases whose answer is worked out by hand. Each has users of its own and a filter for them. */

const own = (who: string) => ({ where: `user_id starts_with "${who}"` })
const event = (user: string, time: string, event_type = 'open', properties: Record<string, unknown> = {}) =>
  at(user, time, { event_type, properties })

const usersOf = ({ data }: FunnelAnswer) => data.map((step) => step.users)

describe('by hand', () => {
  const asking = serveQuestions()
  before(() =>
    asking.put([
      // 30 March 2025 has 23 hours in Kyiv and begins at 22:00 UTC of the 29th; 26 October has 25.
      event('kyiv-1', '2025-03-29T21:59:59.999999Z'),
      event('kyiv-2', '2025-03-29T22:00:00Z'),
      event('kyiv-3', '2025-03-30T20:59:59Z'),
      event('kyiv-4', '2025-03-30T21:00:00Z'),
      // The clock of New York passes 1 o'clock twice on 2 November.
      event('york-1', '2025-11-02T05:30:00Z'),
      event('york-2', '2025-11-02T06:30:00Z'),
      // Apia has no 30 December 2011.
      event('apia-1', '2011-12-30T09:59:59Z'),
      event('apia-2', '2011-12-30T10:00:00Z'),
      // A user of two plans.
      event('plan-a', '2025-05-01T10:00:00Z', 'open', { plan: 'free' }),
      event('plan-a', '2025-05-02T10:00:00Z', 'open', { plan: 'pro' }),
      event('plan-b', '2025-05-02T10:00:00Z', 'open', { plan: 'pro' }),
      // Repeated and simultaneous steps.
      event('funnel-a', '2025-06-01T10:00:00Z', 'view'),
      event('funnel-a', '2025-06-01T11:00:00Z', 'view'),
      event('funnel-a', '2025-06-01T12:30:00Z', 'buy'),
      event('funnel-b', '2025-06-01T10:00:00Z', 'view'),
      event('funnel-b', '2025-06-01T10:05:00Z', 'other'),
      event('funnel-b', '2025-06-01T10:10:00Z', 'buy'),
      {
        ...event('funnel-c', '2025-06-01T10:00:00Z', 'buy'),
        event_id: '00000000-0000-4000-8000-00000000000a',
      },
      {
        ...event('funnel-c', '2025-06-01T10:00:00Z', 'view'),
        event_id: '00000000-0000-4000-8000-00000000000b',
      },
      // A session across midnight, and one of a single event.
      event('session-a', '2025-07-01T23:50:00Z'),
      event('session-a', '2025-07-02T00:20:00Z'),
      event('session-a', '2025-07-02T00:50:00.000001Z'),
      // First ever is before the range.
      event('life-a', '2025-02-01T12:00:00Z'),
      event('life-a', '2025-09-02T12:00:00Z'),
      event('life-b', '2025-09-02T12:00:00Z'),
      event('life-b', '2025-09-03T12:00:00Z'),
      // 24-hour windows across the change of the clock in Kyiv.
      event('roll-a', '2025-03-29T12:00:00Z'),
      event('roll-a', '2025-03-30T11:59:59Z'),
      event('roll-b', '2025-03-29T12:00:00Z'),
      event('roll-b', '2025-03-30T12:00:00Z'),
      // At the first moment of each month from the 15th on.
      event('month-a', '2025-01-15T00:00:00Z'),
      event('month-a', '2025-02-15T00:00:00Z'),
    ]),
  )

  const trend = (parameters: Record<string, string>) => asking.ask<TrendAnswer>('/stats/trend', parameters)
  const funnel = (order: string, within = '7d') =>
    asking.ask<FunnelAnswer>('/stats/funnel', {
      from: '2025-06-01',
      to: '2025-06-01',
      step: ['event_type:view', 'event_type:buy'],
      order,
      within,
      ...own('funnel'),
    })

  overBothTiers(asking, () => {
    it('counts a day of 23 hours', async () => {
      const range = { from: '2025-03-29', to: '2025-03-31', tz: 'Europe/Kyiv' }
      const { series } = await trend({ ...range, ...own('kyiv') })
      assert.deepEqual(series[0]!.values, [1, 2, 1])
    })

    it('tells the two hours of the same name apart', async () => {
      const range = { from: '2025-11-02', to: '2025-11-02', tz: 'America/New_York', interval: 'hour' }
      const { times, series } = await trend({ ...range, ...own('york') })
      const counted = times.flatMap((time, i) => (series[0]!.values[i] === 0 ? [] : [time]))
      assert.deepEqual(counted, ['2025-11-02T01:00:00-04:00', '2025-11-02T01:00:00-05:00'])
      assert.equal(times.length, 25)
    })

    it('has nothing on a date that was skipped', async () => {
      const range = { from: '2011-12-29', to: '2011-12-31', tz: 'Pacific/Apia' }
      const { series } = await trend({ ...range, ...own('apia') })
      assert.deepEqual(series[0]!.values, [1, 0, 1])
    })

    it('counts a user of two groups in both, and once in the total', async () => {
      const range = { from: '2025-05-01', to: '2025-05-02', measure: 'users' }
      const grouped = await trend({ ...range, group_by: 'properties.plan', ...own('plan') })
      assert.deepEqual(
        grouped.series.map(({ group, total }) => [group['properties.plan'], total]),
        [
          ['pro', 2],
          ['free', 1],
        ],
      )
      assert.equal((await trend({ ...range, ...own('plan') })).series[0]!.total, 2)
      const one = await trend({ ...range, group_by: 'properties.plan', groups: '1', ...own('plan') })
      assert.deepEqual(
        one.series.map(({ group }) => group['properties.plan']),
        ['pro', 'other'],
      )
    })

    it('takes the attempt that gets furthest, and equal times in the order of ids', async () => {
      const ordered = await funnel('ordered')
      // c bought at the same time, but by an earlier id.
      assert.deepEqual(usersOf(ordered), [3, 2])
      // a: from the first view, 9,000 s; b: 600 s.
      assert.equal(ordered.data[1]!.median_s, 4_800)
      // Within 2 hours a gets there from the second view.
      assert.deepEqual(usersOf(await funnel('ordered', '2h')), [3, 2])
      assert.deepEqual(usersOf(await funnel('ordered', '1h')), [3, 1])
    })

    it('takes a step that comes exactly at the end of the time, and none after it', async () => {
      for (const order of ['ordered', 'any']) {
        assert.deepEqual(usersOf(await funnel(order, '10m')), [3, 1], order)
        assert.deepEqual(usersOf(await funnel(order, '599s')), [3, 0], order)
      }
    })

    it('begins a month of retention with its first day', async () => {
      const { cohort_size, data } = await asking.ask<RetentionAnswer>('/stats/retention', {
        start_date: '2025-01-15',
        windows: '1',
        window: 'month',
        ...own('month'),
      })
      assert.deepEqual([cohort_size, data[0]!.users], [1, 1])
    })

    it('is strict about what lies between, and in any order takes nothing before the first step', async () => {
      assert.deepEqual(usersOf(await funnel('strict')), [3, 1])
      assert.deepEqual(usersOf(await funnel('any')), [3, 2])
    })

    it('counts a session across midnight once, where it begins', async () => {
      const range = { from: '2025-07-01', to: '2025-07-02' }
      const { data } = await asking.ask<SessionsAnswer>('/stats/sessions', { ...range, ...own('session') })
      assert.deepEqual(
        data.map(({ sessions, median_s }) => [sessions, median_s]),
        [
          [1, 1_800],
          [1, 0],
        ],
      )
    })

    it('knows the first event ever, also before the range', async () => {
      const range = { from: '2025-09-02', to: '2025-09-03' }
      const { data } = await asking.ask<LifecycleAnswer>('/stats/lifecycle', { ...range, ...own('life') })
      assert.deepEqual(data, [
        { time: '2025-09-02', new: 1, returning: 0, resurrected: 1, dormant: 0 },
        { time: '2025-09-03', new: 0, returning: 1, resurrected: 0, dormant: 1 },
      ])
    })

    it('rolls windows of 24 hours by the clock of the user and not of the wall', async () => {
      const { data } = await asking.ask<RetentionAnswer>('/stats/retention', {
        start_date: '2025-03-29',
        windows: '1',
        window: '24h',
        tz: 'Europe/Kyiv',
        ...own('roll'),
      })
      assert.deepEqual([data[0]!.users, data[0]!.rate], [1, 0.5])
    })
  })
})
