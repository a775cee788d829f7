import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseFilter } from '../../src/filter/parse.ts'
import { typesOf } from '../../src/questions/parts/user-days.ts'

describe('a filter that sets can answer', () => {
  it('names event types and nothing else', () => {
    for (const [where, types] of [
      ['event_type = a', ['a']],
      ['event_type in (a, "b", a)', ['a', 'b']],
      ['event_type = a or (event_type in (b, c) or event_type = a)', ['a', 'b', 'c']],
    ] as const)
      assert.deepEqual(typesOf(parseFilter(where)), types, where)
    assert.equal(typesOf(null), null)
  })

  it('is none that looks at anything else, or leaves out', () => {
    for (const where of [
      'event_type = a and event_type = b',
      'event_type = a and user_id = b',
      'event_type = a or user_id = b',
      'not event_type = a',
      'event_type != a',
      'event_type not in (a)',
      'event_type starts_with a',
      'event_type exists',
      'user_id = a',
      'properties.event_type = a',
    ])
      assert.equal(typesOf(parseFilter(where)), undefined, where)
  })
})
