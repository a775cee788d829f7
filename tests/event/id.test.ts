import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fingerprint, formatEventId, IdDigest, isEventId, writeEventId } from '../../src/event/id.ts'

const word = fc.integer({ min: 0, max: 0xffff_ffff })

const id = fc.tuple(word, word, word, word)

function digestOf(all: readonly (readonly [number, number, number, number])[]): IdDigest {
  const digest = new IdDigest()
  for (const words of all) digest.add(...words)
  return digest
}

describe('an event id', () => {
  it('comes back from its bytes in lower case, wherever they stand', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.nat(40), fc.boolean(), (uuid, offset, upper) => {
        const bytes = Buffer.alloc(60, 0xee)
        const written = upper ? uuid.toUpperCase() : uuid
        assert.ok(isEventId(written))
        writeEventId(written, bytes, offset)
        assert.equal(formatEventId(bytes, offset), uuid)
        assert.ok(bytes.subarray(0, offset).every((b) => b === 0xee))
        assert.ok(bytes.subarray(offset + 16).every((b) => b === 0xee))
      }),
    )
  })

  it('has a fingerprint that no single bit leaves unchanged, in either half', () => {
    fc.assert(
      fc.property(id, fc.nat(127), (words, bit) => {
        const other: typeof words = [...words]
        other[bit >> 5] = (other[bit >> 5]! ^ (1 << (bit & 31))) >>> 0
        const a = fingerprint(...words)
        const b = fingerprint(...other)
        assert.ok(a.low !== b.low && a.high !== b.high)
        for (const half of [a.low, a.high]) assert.equal(half, half | 0)
      }),
    )
  })
})

describe('the digest of a set of ids', () => {
  const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 60, selector: (words) => words.join() })
  it('is the same in every order, and over bytes', () => {
    fc.assert(
      fc.property(ids, fc.infiniteStream(fc.double({ noNaN: true })), (all, keys) => {
        const shuffled = all
          .map((words) => ({ words, key: keys.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ words }) => words)
        const bytes = new IdDigest()
        for (const words of all) {
          const buffer = Buffer.alloc(16)
          for (const [n, w] of words.entries()) buffer.writeUInt32BE(w, n * 4)
          bytes.addBytes(buffer)
        }
        const digest = digestOf(all)
        assert.match(digest.toString(), /^[0-9a-f]{16}$/)
        assert.equal(digestOf(shuffled).toString(), digest.toString())
        assert.equal(bytes.toString(), digest.toString())
        assert.equal(digest.count, all.length)
      }),
    )
  })

  it('adds up over parts, as a merge needs it', () => {
    fc.assert(
      fc.property(ids, fc.nat(60), (all, at) => {
        const first = digestOf(all.slice(0, at))
        const rest = digestOf(all.slice(at))
        const sum = new IdDigest()
        for (const part of [first, rest]) sum.addDigest(part.toString(), part.count)
        assert.equal(sum.toString(), digestOf(all).toString())
        assert.equal(sum.count, all.length)
      }),
    )
  })

  it('differs when an id is missing, taken twice, or another one', () => {
    fc.assert(
      fc.property(ids, id, fc.nat(), (all, other, n) => {
        fc.pre(!all.some((words) => words.join() === other.join()))
        const at = n % all.length
        const whole = digestOf(all).toString()
        assert.notEqual(digestOf(all.toSpliced(at, 1)).toString(), whole)
        assert.notEqual(digestOf(all.toSpliced(at, 1, other)).toString(), whole)
        assert.notEqual(digestOf([...all, all[at]!]).toString(), whole)
        // An id twice must not cancel itself out, as it would with XOR.
        assert.notEqual(digestOf([...all, other, other]).toString(), whole)
      }),
    )
  })
})
