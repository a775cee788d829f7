import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readFilter } from '../../src/filter/json.ts'
import { parseFilter } from '../../src/filter/parse.ts'
import { printFilter } from '../../src/filter/print.ts'
import { FilterError } from '../../src/filter/tokens.ts'
import {
  FILTER_CHARS_MAX,
  FILTER_DEPTH_MAX,
  FILTER_KEYS_MAX,
  FILTER_TESTS_MAX,
  FILTER_VALUES_MAX,
} from '../../src/filter/tree.ts'
import type { Filter } from '../../src/filter/tree.ts'
import { howMany } from '../support/counts.ts'
import { seeded } from '../support/sample.ts'
import { makeFilter } from '../questions/histories.ts'

const bare = (text: string) => ({ text, quoted: false })
const quoted = (text: string) => ({ text, quoted: true })

const exists = (name: string): Filter => ({ field: [name], op: 'exists', values: [] })
/** Parses a filter in which `a` stands for `properties.a exists`, as do `b` and `c`. */
const parseKeys = (text: string) => parseFilter(text.replaceAll(/\b([abc])\b/g, 'properties.$1 exists'))

function faultOf(text: string): string {
  try {
    parseFilter(text)
  } catch (error) {
    assert.ok(error instanceof FilterError, String(error))
    return error.message
  }
  return ''
}

describe('a filter', () => {
  it('reads every test', () => {
    const cases: [text: string, filter: Filter][] = [
      ['event_type = buy', { field: 'event_type', op: '=', values: [bare('buy')] }],
      ['user_id="a b"', { field: 'user_id', op: '=', values: [quoted('a b')] }],
      ['properties.plan != pro', { not: { field: ['plan'], op: '=', values: [bare('pro')] } }],
      ['properties.a.b <= -1.5e3', { field: ['a', 'b'], op: '<=', values: [bare('-1.5e3')] }],
      ['properties["any key"].b>2', { field: ['any key', 'b'], op: '>', values: [bare('2')] }],
      ["properties.a['b.c'] exists", { field: ['a', 'b.c'], op: 'exists', values: [] }],
      ['properties.a in (x, "y,z")', { field: ['a'], op: 'in', values: [bare('x'), quoted('y,z')] }],
      ['properties.a NOT IN (1)', { not: { field: ['a'], op: 'in', values: [bare('1')] } }],
      [
        String.raw`event_type contains 'it\'s'`,
        { field: 'event_type', op: 'contains', values: [quoted("it's")] },
      ],
      [
        String.raw`event_type matches "\\d+\n"`,
        { field: 'event_type', op: 'matches', values: [quoted('\\d+\n')] },
      ],
      ['event_type starts_with über', { field: 'event_type', op: 'starts_with', values: [bare('über')] }],
    ]
    for (const [text, filter] of cases) assert.deepEqual(parseFilter(text), filter, text)
  })

  it('binds not before and before or, and parentheses before all', () => {
    const [a, b, c] = ['a', 'b', 'c'].map(exists) as [Filter, Filter, Filter]
    assert.deepEqual(parseKeys('a or b and c'), { or: [a, { and: [b, c] }] })
    assert.deepEqual(parseKeys('(a or b) and c'), { and: [{ or: [a, b] }, c] })
    assert.deepEqual(parseKeys('not a and b'), { and: [{ not: a }, b] })
    assert.deepEqual(parseKeys('not (a AND b)'), { not: { and: [a, b] } })
    assert.deepEqual(parseKeys('a or b or c'), { or: [a, b, c] })
  })

  it('says at which column it cannot be read, and what is expected there', () => {
    const cases: [text: string, message: RegExp][] = [
      ['', /^column 1: expected event_type/],
      ['plan = pro', /^column 1: expected event_type, user_id, properties\.<key>/],
      ['properties. = 1', /^column 1: /],
      ['properties.a..b = 1', /^column 1: /],
      ['event_type = ', /^column 14: expected a value/],
      ['event_type buy', /^column 12: expected one of != not in = </],
      ['event_type = buy user_id = 1', /^column 18: expected and, or, or the end/],
      ['event_type = "buy', /^column 14: the quote is not closed/],
      ['event_type in (a, b', /^column 20: expected \)/],
      ['event_type in ()', /^column 16: expected a value/],
      ['event_type = and', /^column 14: expected a value/],
      ['(event_type = a', /^column 16: expected \)/],
      ['event_type not = a', /^column 12: /],
      ['user_id < 5', /^column 9: < compares numbers, and user_id is text/],
      ['properties.a < b', /^column 14: < compares with a number/],
      ['properties.a < "5"', /^column 14: < compares with a number/],
      ['properties.a = "\0"', /not valid text/],
      ['properties.a = "\uD800"', /not valid text/],
    ]
    for (const [text, message] of cases) assert.match(faultOf(text), message, text)
  })

  it('is bounded in characters, depth, tests, values and keys', () => {
    const test = 'event_type = a'
    const deep = (n: number) => `${'('.repeat(n)}${test}${')'.repeat(n)}`
    const edges: [max: number, of: (n: number) => string, message: RegExp][] = [
      [FILTER_CHARS_MAX, (n) => `event_type = "${'x'.repeat(n - 15)}"`, /at most 4096 characters/],
      [FILTER_DEPTH_MAX, deep, /nested more than 16 deep/],
      [FILTER_DEPTH_MAX, (n) => `${'not '.repeat(n)}${test}`, /nested more than 16 deep/],
      [FILTER_TESTS_MAX, (n) => Array.from({ length: n }, () => test).join(' or '), /more than 64 tests/],
      [FILTER_VALUES_MAX, (n) => `event_type in (a${',a'.repeat(n - 1)})`, /more than 100 values/],
      [FILTER_KEYS_MAX, (n) => `properties${'.a'.repeat(n)} = 1`, /more than 8 keys/],
    ]
    for (const [max, of, message] of edges) {
      assert.equal(faultOf(of(max)), '', of(max).slice(0, 40))
      assert.match(faultOf(of(max + 1)), message)
    }
  })

  it('is printed as a text that reads as the same filter', () => {
    const random = seeded(5)
    for (let n = 0; n < howMany('filters_printed'); n += 1) {
      const filter = makeFilter(random, 3)
      assert.deepEqual(parseFilter(printFilter(filter)), filter, printFilter(filter))
    }
    const character = fc.oneof(
      fc.constantFrom('"', '\\', "'", '\n'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    )
    const any = fc
      .string({ unit: character, minLength: 1 })
      .filter((s) => !s.includes('\0') && s.isWellFormed())
    fc.assert(
      fc.property(any, any, (key, text) => {
        const filter: Filter = { field: [key], op: '=', values: [quoted(text)] }
        assert.deepEqual(parseFilter(printFilter(filter)), filter)
      }),
      { numRuns: howMany('filters_printed') / 2 },
    )
  })

  it('of any bytes is a filter or a clear refusal', () => {
    const parts = [
      'event_type',
      'properties.a',
      'user_id',
      '=',
      '!=',
      'in',
      'not',
      'and',
      'or',
      '(',
      ')',
      ',',
      '"',
      "'",
      '\\',
      '[',
      ']',
      '.',
      '1',
      'x',
      ' ',
      '--',
      '/*',
      ';',
      '$1',
      '\0',
    ]
    const text = fc.oneof(
      fc.array(fc.constantFrom(...parts)).map((list) => list.join('')),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(text, (written) => {
        try {
          parseFilter(written)
        } catch (error) {
          assert.ok(error instanceof FilterError)
        }
      }),
      { numRuns: howMany('filters_of_any_bytes') },
    )
  })
})

describe('a filter as JSON', () => {
  it('is the same tree', () => {
    const json = {
      and: [
        { field: 'properties.plan', op: 'in', values: ['pro', 5, null, true] },
        {
          or: [
            { field: 'event_type', op: '!=', value: 'buy' },
            { not: { field: 'properties["a b"]', op: 'exists' } },
          ],
        },
      ],
    }
    assert.equal(
      printFilter(readFilter(json)),
      'properties.plan in ("pro", 5, null, true) and ((not event_type = "buy") or (not properties["a b"] exists))',
    )
    const random = seeded(6)
    for (let n = 0; n < 500; n += 1) {
      const filter = makeFilter(random, 3)
      if (!printFilter(filter).includes('2.50')) assert.deepEqual(readFilter(asJson(filter)), asRead(filter))
    }
  })

  it('of another form is refused', () => {
    const cases: [json: unknown, message: RegExp][] = [
      [null, /must be an object/],
      [{}, /field/],
      [{ and: [] }, /and must be a list of at least one filter/],
      [{ and: [{ field: 'event_type', op: 'exists' }], or: [] }, /field/],
      [{ field: 'event_type', op: 'like', value: 'x' }, /op: must be one of/],
      [{ field: 'event_type', op: '=' }, /= takes value/],
      [{ field: 'event_type', op: '=', value: 'a', values: ['b'] }, /= takes value/],
      [{ field: 'event_type', op: 'in', value: 'a' }, /in takes values/],
      [{ field: 'event_type', op: 'exists', value: 'a' }, /neither value nor values/],
      [{ field: 'plan', op: '=', value: 'a' }, /expected event_type/],
      [{ field: 'properties.a', op: '<', value: 'a' }, /compares with a number/],
      [
        Array.from({ length: FILTER_DEPTH_MAX + 1 }).reduce((inner) => ({ not: inner }), {
          field: 'event_type',
          op: 'exists',
        }),
        /nested more than/,
      ],
    ]
    for (const [json, message] of cases) assert.throws(() => readFilter(json), message, JSON.stringify(json))
  })
})

/** Values as JSON has them. */
function asJson(filter: Filter): unknown {
  if ('and' in filter) return { and: filter.and.map(asJson) }
  if ('or' in filter) return { or: filter.or.map(asJson) }
  if ('not' in filter) return { not: asJson(filter.not) }
  const { field, op } = filter
  const values = filter.values.map(
    (value) => (value.quoted || !isLiteral(value.text) ? value.text : JSON.parse(value.text)) as unknown,
  )
  const name =
    typeof field === 'string' ? field : `properties${field.map((key) => `[${JSON.stringify(key)}]`).join('')}`
  return { field: name, op, ...(op === 'in' ? { values } : op === 'exists' ? {} : { value: values[0] }) }
}

/** A bare word is text in JSON. */
function asRead(filter: Filter): Filter {
  if ('and' in filter) return { and: filter.and.map(asRead) }
  if ('or' in filter) return { or: filter.or.map(asRead) }
  if ('not' in filter) return { not: asRead(filter.not) }
  return {
    ...filter,
    values: filter.values.map((value) => (isLiteral(value.text) ? value : quoted(value.text))),
  }
}

const isLiteral = (text: string) => /^(-?\d+(\.\d+)?|true|false|null)$/.test(text)
