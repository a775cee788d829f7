import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Problem } from '../../src/problem/problem.ts'
import { queryOfBody } from '../../src/questions/parts/body.ts'
import { FUNNEL_EXCLUDES_MAX, FUNNEL_STEPS_MAX, WITHIN_DAYS_MAX } from '../../src/questions/funnel.ts'
import { GROUPS_MAX } from '../../src/questions/parts/groups.ts'
import { NAMES_MAX, SEARCH_CHARS_MAX } from '../../src/questions/parts/names.ts'
import { PATHS_DEPTH_MAX, PATHS_TOP_MAX } from '../../src/questions/paths.ts'
import { HOURS_DAYS_MAX } from '../../src/questions/parts/periods.ts'
import { RETENTION_COHORTS_MAX } from '../../src/questions/retention.ts'
import { GAP_SECONDS_MAX } from '../../src/questions/sessions.ts'
import { MAU_DAYS_MAX } from '../../src/questions/active-users.ts'
import { askedFor } from '../support/asked.ts'
import { addDays } from '../support/reference.ts'

const RANGE = { from: '2025-08-01', to: '2025-08-02' }
const STEPS = { step: ['event_type:a', 'event_type:b'] }

function faultOf(name: string, query: Record<string, string | string[]>): string {
  try {
    askedFor(name, query)
    return ''
  } catch (error) {
    assert.ok(error instanceof Problem, String(error))
    return error.message
  }
}

const stepsOf = (n: number) => ({ step: Array.from({ length: n }, () => 'event_type:a') })
const faultOfCohorts = (n: number) => faultOf('retention', { start_date: '2025-08-01', cohorts: String(n) })

describe('a question that makes no sense', () => {
  it('is refused with the parameter and what it takes', () => {
    const cases: [name: string, query: Record<string, string | string[]>, message: RegExp][] = [
      ['dau', { ...RANGE, tz: 'Mars/Olympus' }, /^tz must be the name of a time zone, such as Europe\/Kyiv$/],
      ['dau', { ...RANGE, week_start: 'friday' }, /^week_start must be monday or sunday$/],
      ['dau', { ...RANGE, where: 'plan = pro' }, /^where column 1: expected event_type, user_id, properties/],
      ['dau', { ...RANGE, where: 'event_type = "buy' }, /^where column 14: the quote is not closed$/],
      ['trend', { from: '2025-08-02', to: '2025-08-01' }, /^from must not be after to$/],
      ['trend', { ...RANGE, measure: 'sum' }, /^measure must be one of events, users/],
      ['trend', { ...RANGE, measure: 'median:price' }, /^measure must be one of/],
      [
        'trend',
        { ...RANGE, group_by: 'event_type,properties.a,properties.b' },
        /^group_by may name at most 2 fields$/,
      ],
      ['trend', { ...RANGE, group_by: 'event_type,event_type' }, /^group_by names a field twice$/],
      ['trend', { ...RANGE, group_by: 'user_id' }, /^group_by must name event_type or properties/],
      ['funnel', { ...RANGE, step: ['event_type:a'] }, /^step must be given 2 to 12 times$/],
      ['funnel', RANGE, /^step is required$/],
      ['funnel', { ...RANGE, ...STEPS, within: '7' }, /^within must be a time such as 90s/],
      ['funnel', { ...RANGE, step: ['event_type:', 'event_type:b'] }, /^step must not have an empty value$/],
      [
        'paths',
        { ...RANGE, start: 'event_type:a', end: 'event_type:b' },
        /^start or end is required, and not both$/,
      ],
      ['retention', { start_date: '2025-08-01', kind: 'bracket' }, /^brackets belongs to kind=bracket/],
      [
        'retention',
        { start_date: '2025-08-01', kind: 'bracket', brackets: '3,2' },
        /^brackets must be up to/,
      ],
      [
        'retention',
        { start_date: '2025-08-01', kind: 'bracket', brackets: '1,9' },
        /^brackets must end at a window/,
      ],
      [
        'retention',
        { start_date: '2025-08-01', cohorts: '2', group_by: 'event_type' },
        /^group_by may not be given with cohorts$/,
      ],
      ['property-values', { ...RANGE, property: 'user_id' }, /^property must be properties\.<key>/],
    ]
    for (const [name, query, message] of cases)
      assert.match(faultOf(name, query), message, JSON.stringify(query))
  })

  it('is one past a limit, and not at it', () => {
    const edges: [name: string, max: number, query: (n: number) => Record<string, string | string[]>][] = [
      ['funnel', FUNNEL_STEPS_MAX, stepsOf],
      ['funnel', FUNNEL_EXCLUDES_MAX, (n) => ({ ...STEPS, exclude: stepsOf(n).step })],
      ['funnel', WITHIN_DAYS_MAX, (n) => ({ ...STEPS, within: `${n}d` })],
      ['trend', GROUPS_MAX, (n) => ({ group_by: 'event_type', groups: String(n) })],
      ['trend', HOURS_DAYS_MAX, (n) => ({ interval: 'hour', to: addDays('2025-08-01', n - 1) })],
      ['sessions', GAP_SECONDS_MAX, (n) => ({ gap: `${n}s` })],
      ['active-users', MAU_DAYS_MAX, (n) => ({ mau_days: String(n) })],
      ['paths', PATHS_DEPTH_MAX, (n) => ({ start: 'event_type:a', depth: String(n) })],
      ['paths', PATHS_TOP_MAX, (n) => ({ start: 'event_type:a', top: String(n) })],
      ['event-types', NAMES_MAX, (n) => ({ limit: String(n) })],
      ['event-types', SEARCH_CHARS_MAX, (n) => ({ search: 'x'.repeat(n) })],
    ]
    for (const [name, max, query] of edges) {
      assert.equal(faultOf(name, { ...RANGE, ...query(max) }), '', `${name} ${max}`)
      assert.notEqual(faultOf(name, { ...RANGE, ...query(max + 1) }), '', `${name} ${max + 1}`)
    }
    assert.equal(faultOfCohorts(RETENTION_COHORTS_MAX), '')
    assert.match(faultOfCohorts(RETENTION_COHORTS_MAX + 1), /^cohorts must be/)
  })
})

describe('a question as JSON', () => {
  it('is the same as in a URL, with filters as trees', () => {
    const tree = { field: 'event_type', op: '=', value: 'a' }
    assert.deepEqual(
      queryOfBody({ from: '2025-08-01', limit: 5, where: tree, step: [tree, 'event_type:b'] }),
      {
        from: ['2025-08-01'],
        limit: ['5'],
        where: ['event_type = "a"'],
        step: ['event_type = "a"', 'event_type:b'],
      },
    )
  })

  it('is refused where a value is neither text, number, boolean nor filter', () => {
    for (const body of [null, [], 'x', { where: null }, { where: [[]] }, { where: { field: 'x' } }]) {
      assert.throws(() => queryOfBody(body), Problem, JSON.stringify(body))
    }
  })
})
