import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { checksumOf, decodeSet, encodeSet } from '../../src/sets/coding.ts'

describe('a stored set', () => {
  const sets = fc
    .uniqueArray(fc.integer({ min: 0, max: 2 ** 31 - 1 }))
    .map((all) => all.toSorted((a, b) => a - b))

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(sets, (sorted) => {
        assert.deepEqual([...decodeSet(encodeSet(sorted), sorted.length)], sorted)
      }),
    )
    assert.equal(encodeSet([1, 2, 130, 2 ** 31 - 1]).length, 1 + 1 + 2 + 5)
  })

  it('takes about a byte a user', () => {
    assert.equal(encodeSet(Array.from({ length: 1_000 }, (_, i) => i * 100)).length, 1_000)
  })

  it('has another checksum if anything in it is another', () => {
    const set = {
      path: 'day=2025-08-01/a.parquet',
      event_type: 't',
      events: 3,
      users: 2,
      uids: encodeSet([1, 2]),
    }
    const others = [
      { path: 'b' },
      { event_type: 'u' },
      { events: 4 },
      { users: 1 },
      { uids: encodeSet([1, 3]) },
    ]
    const checksums = [set, ...others.map((other) => ({ ...set, ...other }))].map(checksumOf)
    assert.equal(new Set(checksums).size, checksums.length)
  })
})
