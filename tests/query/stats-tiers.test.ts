import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { at, serveQuestions } from '../support/asking.ts'
import type { Dau, TopEvents } from '../support/asking.ts'
import { howMany } from '../support/counts.ts'
import { get } from '../support/store.ts'

interface Tiers {
  hot: { events: number; days: number }
  cold: {
    events: number
    files: number
    bytes: number
    days: { day: string; events: number; files: number; bytes: number; sealed_through: number }[]
  }
}

describe('questions', () => {
  const home = serveQuestions()
  const { put, ask, compact } = home

  it('count an event in the first answer after its 200, whoever else writes', async () => {
    const ROUNDS = howMany('answers_between_commits')
    let others = 0
    const done = new AbortController()
    const writers = ['w1', 'w2', 'w3'].map(async (writer) => {
      while (!done.signal.aborted) {
        const batch = Array.from({ length: 20 }, () =>
          at(writer, '2024-06-02T10:00:00Z', { event_type: 'noise' }),
        )
        await put(batch)
        others += batch.length
      }
    })
    try {
      for (let round = 1; round <= ROUNDS; round += 1) {
        await put([at(`fresh-${round}`, '2024-06-01T10:00:00Z', { event_type: `fresh_${round % 7}` })])
        const answer = await ask<Dau>('/stats/dau', { from: '2024-06-01', to: '2024-06-01' })
        assert.equal(answer.data[0]!.dau, round)
      }
    } finally {
      done.abort()
      await Promise.all(writers)
    }
    const { data } = await ask<TopEvents>('/stats/top-events', { from: '2024-06-02', to: '2024-06-02' })
    assert.deepEqual(data, [{ event_type: 'noise', count: others }])
    assert.ok(others >= ROUNDS)
  })

  describe('/tiers', () => {
    it('tells what lies where, and a late event is hot until the next run', async () => {
      await put([
        at('u1', '2024-01-01T00:00:00Z'),
        at('u1', '2024-01-01T09:00:00Z', { event_type: 'purchase' }),
        at('u2', '2024-01-01T23:59:59.999999Z'),
        at('u2', '2024-01-02T00:00:00Z'),
      ])
      await compact()
      const sealed = (await get<Tiers>(`${home.url}/tiers`)).json
      assert.deepEqual(sealed.hot, { events: 0, days: 0 })
      const january = sealed.cold.days.find(({ day }) => day === '2024-01-01')!
      assert.equal(january.events, 3)
      assert.equal(january.files, 1)
      assert.ok(january.bytes > 0)
      assert.ok(january.sealed_through > 0)
      for (const part of ['events', 'files', 'bytes'] as const) {
        assert.equal(
          sealed.cold[part],
          sealed.cold.days.reduce((n, day) => n + day[part], 0),
          part,
        )
      }
      await put([at('late', '2024-01-01T10:00:00Z')])
      const late = (await get<Tiers>(`${home.url}/tiers`)).json
      assert.deepEqual(late.hot, { events: 1, days: 1 })
      assert.deepEqual(late.cold, sealed.cold)
      const { data, meta } = await ask<Dau>('/stats/dau', { from: '2024-01-01', to: '2024-01-01' })
      assert.equal(data[0]!.dau, 3)
      assert.deepEqual([meta.hot_events, meta.cold_events, meta.cold_files], [1, 3, 1])
    })
  })
})
