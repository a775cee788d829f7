import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseExactJson, writeExactJson } from '../../src/event/json.ts'
import type { ExactNumber } from '../../src/event/json.ts'

/** Makes the exact reader read a text, which leaves others to JSON.parse. */
const withOdd = (text: string) => `[${text},1e3]`
const [odd] = parseExactJson('[1e3]') as [ExactNumber]

/** Texts of 1 to `max` digits. */
const digits = (max: number) =>
  fc.array(fc.nat(9), { minLength: 1, maxLength: max, size: 'max' }).map((all) => all.join(''))

describe('exact JSON', () => {
  it('has strings of any length', () => {
    // A pattern that keeps a state for each character fails at about 10 million.
    const bytes = 12_000_000
    for (const text of ['x', '\\n', '\\\\']) {
      const string = `"${text.repeat(bytes / text.length)}"`
      const [read] = parseExactJson(withOdd(string)) as [string]
      assert.ok(read === JSON.parse(string))
    }
  })

  it('has the strings that JSON.parse has, and no others', () => {
    const piece = fc.constantFrom('\\', '"', 'u00e4', 'n', 'x', '/', '\n', '\u0001', '\ud800', 'é', ' ')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = `"${pieces.join('')}"`
        let expected: unknown
        try {
          expected = JSON.parse(`[${text},0]`)
        } catch {
          assert.throws(() => parseExactJson(withOdd(text)), SyntaxError)
          return
        }
        assert.deepEqual(parseExactJson(withOdd(text)), [(expected as unknown[])[0], odd])
      }),
    )
  })

  it('keeps every number as it was sent, beside texts that look like numbers', () => {
    const number = fc
      .tuple(
        fc.constantFrom('', '-'),
        fc.oneof(
          fc.constant('0'),
          digits(18).filter((text) => !text.startsWith('0')),
        ),
        fc.oneof(
          fc.constant(''),
          fc.constantFrom('.0', '.50', '.0000001'),
          digits(18).map((text) => `.${text}`),
        ),
        fc.constantFrom('', '', 'e2', 'E-7', 'e+0'),
      )
      .map((parts) => parts.join(''))
    const beside = fc.constantFrom(
      '"a"',
      '"-0"',
      '"\\\\"',
      '"\\""',
      '"1e5"',
      'true',
      'false',
      'null',
      '{}',
      '"7"',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(number, number, beside)), (values) => {
        const text = `[${[...values, '{"k":0}'].join(',')}]`
        assert.equal(writeExactJson(parseExactJson(text)), text)
      }),
      { numRuns: 1_000 },
    )
  })

  it('is written as JSON.stringify writes it, at any indentation', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('', '  '), (value, step) => {
        assert.equal(writeExactJson(value, step), JSON.stringify(value, null, step))
      }),
    )
    assert.equal(writeExactJson({ a: undefined, b: [odd, 1n, {}, []] }), '{"b":[1e3,1,{},[]]}')
    assert.equal(writeExactJson({ a: [1] }, '  ', '    '), '{\n      "a": [\n        1\n      ]\n    }')
  })
})
