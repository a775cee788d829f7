import type { DayState } from '../../compactor/plan.ts'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MICROS_PER_DAY } from '../../src/event/time.ts'
import { FILES_PER_DAY_MAX, isClosed, planCompaction } from '../../compactor/plan.ts'

const day = fc.integer({ min: 0, max: 40_000 })

const hotDays = fc.integer({ min: 0, max: 400 })

function planOf(visible_rows: number, cold_files: number): unknown {
  const states: DayState[] = [
    { day: 7, rows: visible_rows, newest_seq: 9 + visible_rows, sealed_through: 9, cold_files },
  ]
  return planCompaction(states, 100 * MICROS_PER_DAY, 1)
}

describe('the compaction plan', () => {
  it('closes a day exactly when its grace ends, not one microsecond before', () => {
    fc.assert(
      fc.property(day, hotDays, (d, hot_days) => {
        const closes_us = (d + 1 + hot_days) * MICROS_PER_DAY
        assert.equal(isClosed(d, closes_us - 1, hot_days), false)
        assert.equal(isClosed(d, closes_us, hot_days), true)
        assert.equal(isClosed(d, closes_us + 1, hot_days), true)
      }),
    )
  })

  it('moves what is hot in closed days, and nothing else, oldest day first', () => {
    const state = fc.record({
      day,
      rows: fc.nat(),
      newest_seq: fc.integer({ min: 0, max: 3 }),
      sealed_through: fc.integer({ min: 0, max: 3 }),
      cold_files: fc.integer({ min: 0, max: 7 }),
    })
    const states = fc.uniqueArray(state, { selector: (s) => s.day, maxLength: 30 })
    fc.assert(
      fc.property(states, day, hotDays, (days, today, hot_days) => {
        const now_us = today * MICROS_PER_DAY + 1
        const before = JSON.stringify(days)
        const steps = planCompaction(days, now_us, hot_days)
        assert.equal(JSON.stringify(days), before)
        const closed = days.filter((s) => s.day + hot_days < today)
        assert.deepEqual(
          steps.filter((s) => s.seal).map((s) => s.day),
          closed
            .filter((s) => s.newest_seq > s.sealed_through)
            .map((s) => s.day)
            .toSorted((a, b) => a - b),
        )
        assert.deepEqual(
          steps.map((s) => s.day),
          steps.map((s) => s.day).toSorted((a, b) => a - b),
        )
        assert.ok(steps.every((s) => s.seal || s.merge))
      }),
    )
  })

  it('merges a day once it would have more than four files', () => {
    assert.equal(FILES_PER_DAY_MAX, 4)
    assert.deepEqual(planOf(1, 3), [{ day: 7, rows: 1, seal: true, merge: false }])
    assert.deepEqual(planOf(1, 4), [{ day: 7, rows: 1, seal: true, merge: true }])
    assert.deepEqual(planOf(0, 4), [])
    // A run that was ended between sealing and merging, or an import that added files.
    assert.deepEqual(planOf(0, 5), [{ day: 7, rows: 0, seal: false, merge: true }])
  })
})
