import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseFilter } from '../../src/filter/parse.ts'
import { conditionOf } from '../../src/sql/filter.ts'
import { statement } from '../../src/sql/statement.ts'
import { howMany } from '../support/counts.ts'
import { get } from '../support/store.ts'
import { at, overBothTiers, serveQuestions } from '../support/asking.ts'
import type { TopEvents } from '../support/asking.ts'

const HOSTILE = [
  "' OR '1'='1",
  '"; DROP TABLE hot; --',
  '$1',
  '/*',
  '*/',
  '\\',
  '%',
  '~1',
  '/plan',
  "$.plan'",
  'a\nb',
  '🦓',
]

describe('a filter as SQL', () => {
  it('binds every key and every value', () => {
    for (const text of HOSTILE) {
      const quoted = JSON.stringify(text)
      const written = `properties[${quoted}] in (${quoted}, 5) or event_type matches ${quoted} and properties[${quoted}] > 7`
      const { sql, params } = statement((bind) => conditionOf(parseFilter(written), bind))
      const plain = statement((bind) => conditionOf(parseFilter(written.replaceAll(quoted, '"k"')), bind))
      assert.equal(sql, plain.sql)
      assert.ok(params.includes(text), text)
    }
  })

  const asking = serveQuestions()
  const EVENTS: [name: string, properties: Record<string, unknown>][] = [
    ['none', {}],
    ['nil', { k: null }],
    ['n5', { k: 5 }],
    ['t5', { k: '5' }],
    ['n10', { k: 10 }],
    ['big', { k: 9_007_199_254_740_992 }],
    ['text', { k: "it's %" }],
    ['list', { k: ['a', 5] }],
    ['nested', { a: { b: 'x' } }],
    ['dotted', { 'a.b': 'x' }],
    ['true', { k: true }],
  ]
  const CASES: [where: string, matched: string[]][] = [
    ['properties.k = 5', ['n5', 't5', 'list']],
    ['properties.k = "5"', ['t5']],
    ['properties.k = "a"', ['list']],
    ['properties.k != 5', ['none', 'nil', 'n10', 'big', 'text', 'nested', 'dotted', 'true']],
    ['properties.k not in (5, 10)', ['none', 'nil', 'big', 'text', 'nested', 'dotted', 'true']],
    ['properties.k < 10', ['n5']],
    ['properties.k >= 10', ['n10', 'big']],
    [
      'not properties.k < 10',
      ['none', 'nil', 't5', 'n10', 'big', 'text', 'list', 'nested', 'dotted', 'true'],
    ],
    ['properties.k = 9007199254740993', []],
    ['properties.k = null', ['nil']],
    ['properties.k = true', ['true']],
    ['properties.k exists', ['nil', 'n5', 't5', 'n10', 'big', 'text', 'list', 'true']],
    ['properties.k contains "%"', ['text']],
    ['properties.k starts_with it', ['text']],
    ['properties.k matches "^it.s"', ['text']],
    ['properties.a.b = x', ['nested', 'dotted']],
    ['properties["a.b"] = x', ['dotted']],
    ['event_type in (none, true) or event_type ends_with 10', ['none', 'true', 'n10']],
  ]
  it('has events to tell apart', () =>
    asking.put(
      EVENTS.map(([name, properties]) => at('u', '2025-08-01T12:00:00Z', { event_type: name, properties })),
    ))

  overBothTiers(asking, (tier) => {
    for (const [where, matched] of CASES) {
      it(`${where}, ${tier}`, async () => {
        const { data } = await asking.ask<TopEvents>('/stats/top-events', {
          from: '2025-08-01',
          to: '2025-08-01',
          limit: '100',
          where,
        })
        assert.deepEqual(data.map(({ event_type }) => event_type).toSorted(), matched.toSorted())
      })
    }

    it(`any text as a filter is answered or refused, ${tier}`, async () => {
      const word = fc.constantFrom(
        ...HOSTILE,
        ...CASES.flatMap(([where]) => where.split(' ')),
        '(',
        ')',
        ',',
        '\0',
        ' ',
      )
      const written = fc.oneof(
        fc.array(word, { maxLength: 8 }).map((words) => words.join(' ')),
        fc.constantFrom(...HOSTILE).map((text) => `properties.k = ${JSON.stringify(text)}`),
        fc.constantFrom(...HOSTILE).map((key) => `properties[${JSON.stringify(key)}] = x`),
        fc.string({ unit: 'binary' }),
      )
      await fc.assert(
        fc.asyncProperty(written, async (where) => {
          const query = new URLSearchParams({ from: '2025-08-01', to: '2025-08-01', where })
          const { status, json } = await get<TopEvents>(`${asking.url}/stats/top-events?${query}`)
          if (status === 200) assert.ok(json.data.length <= EVENTS.length)
          else assert.equal(status, 400, JSON.stringify(json))
        }),
        { numRuns: howMany('hostile_filters') },
      )
    })

    it(`a pattern that is none is refused and harms nothing, ${tier}`, async () => {
      const query = new URLSearchParams({
        from: '2025-08-01',
        to: '2025-08-01',
        where: 'event_type matches "("',
      })
      const { status, json } = await get(`${asking.url}/stats/dau?${query}`)
      assert.equal(status, 400, JSON.stringify(json))
    })
  })
})
