import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { count, duration, printable, size, table } from '../../src/cli/people.ts'

describe('what people read', () => {
  it('counts with the right number of the noun', () => {
    assert.deepEqual(
      [0, 1, 2, 1_523].map((n) => count(n, 'event')),
      ['0 events', '1 event', '2 events', '1,523 events'],
    )
  })

  it('gives sizes and times in units that keep them short', () => {
    assert.deepEqual([0, 1_023, 1_024, 1_258_291, 1024 ** 2 - 1, 5 * 1024 ** 4, 3 * 1024 ** 5].map(size), [
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.2 MiB',
      '1.0 MiB',
      '5.0 TiB',
      '3072.0 TiB',
    ])
    assert.deepEqual([0, 999, 1_340, 61_000].map(duration), ['0 ms', '999 ms', '1.3 s', '61.0 s'])
  })

  it('aligns amounts right, and ids left', () => {
    const rows = [
      { id: 1, name: 'a', events: 1_523 },
      { id: 1_000, name: null, events: 7 },
    ]
    assert.equal(
      table(['id', 'name', 'events'], rows, ['events']),
      'id    name  events\n1     a      1,523\n1000  -          7',
    )
  })

  it('escapes what a terminal obeys, and keeps line breaks', () => {
    assert.equal(printable('a\u001b[2J\u009b\u202e\n😀'), 'a\\u001b[2J\\u009b\\u202e\n😀')
  })
})
