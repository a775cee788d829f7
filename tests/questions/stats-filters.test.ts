import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { at, overBothTiers, serveQuestions } from '../support/asking.ts'
import type { Dau, TopEvents } from '../support/asking.ts'

/** Events by name: the name becomes their type, so that an answer says which of them matched. */
const FILTERED: [name: string, properties: Record<string, unknown>][] = [
  ['ua', { country: 'UA' }],
  ['pl', { country: 'PL' }],
  ['pl2', { country: 'PL', city: 'Łódź' }],
  ['lower', { country: 'ua' }],
  ['nobody', { country: null }],
  ['none', {}],
  ['nested', { country: { country: 'UA' }, a: { b: 1 } }],
  ['list', { country: ['UA'] }],
  ['slash', { 'a/b': 'x', a: { b: 'x' } }],
  ['tilde', { 'a~b': 'x', 'a~1b': 'tilde one' }],
  ['dot', { 'a.b': 'x' }],
  ['colon', { 'a:b': 'x' }],
  ['not_colon', { a: 'b:x' }],
  ['double', { 'a"b': 'x' }],
  ['single', { "a'b": "it's" }],
  ['space', { 'a b': ' x y ' }],
  ['back', { 'a\\b': 'C:\\dir' }],
  ['dollar', { '$.country': 'UA', $1: '$1' }],
  ['star', { '*': 'UA', '[0]': 'x' }],
  ['proto', { constructor: 'x', toString: 'y', ['__proto__']: 'z' }],
  ['unicode', { краіна: 'УА', '🦓': '🦓' }],
  ['comma', { city: 'Kyiv, UA' }],
  ['kyiv', { city: 'Kyiv' }],
  ['injection', { city: "x' OR '1'='1" }],
  ['drop', { city: "'; DROP TABLE hot; --" }],
  ['percent', { city: '%' }],
  ['nul', { 'n\0l': 'a\0b', country: 'N\0' }],
  ['n95', { n: 95 }],
  ['n95.5', { n: 95.5 }],
  ['t95', { n: '95' }],
  ['t95.0', { n: '95.0' }],
  ['n0', { n: 0 }],
  ['n-7', { n: -7 }],
  ['n1e21', { n: 1e21 }],
  ['n0.1', { n: 0.1 }],
  ['big', { n: 2 ** 53 }],
  ['max', { n: Number.MAX_VALUE }],
  ['true', { flag: true }],
  ['false', { flag: false }],
  ['text_true', { flag: 'true' }],
  ['one', { flag: 1 }],
]

const FILTERS: [what: string, parameters: Record<string, string | string[]>, matched: string[]][] = [
  ['a text', { segment: 'properties.country:UA' }, ['ua', 'list']],
  ['a text in the short form', { 'properties.country': 'UA' }, ['ua', 'list']],
  ['any of several texts', { segment: 'properties.country:UA,PL' }, ['ua', 'list', 'pl', 'pl2']],
  ['any of several texts in the short form', { 'properties.country': 'UA,PL' }, ['ua', 'list', 'pl', 'pl2']],
  ['all of several segments', { segment: ['properties.country:UA,PL', 'properties.city:Łódź'] }, ['pl2']],
  ['both forms together', { segment: 'properties.country:PL', 'properties.city': 'Łódź' }, ['pl2']],
  ['null', { 'properties.country': 'null' }, ['nobody']],
  ['a key with /', { 'properties.a/b': 'x' }, ['slash']],
  ['a key with ~', { 'properties.a~b': 'x' }, ['tilde']],
  ['a key with ~1', { 'properties.a~1b': 'tilde one' }, ['tilde']],
  ['a property of an object, or a key with a dot', { segment: 'properties.a.b:x' }, ['dot', 'slash']],
  ['a key with a colon in the short form', { 'properties.a:b': 'x' }, ['colon']],
  ['a value with a colon', { segment: 'properties.a:b:x' }, ['not_colon']],
  ['a key with "', { segment: 'properties.a"b:x' }, ['double']],
  ["a key and a value with '", { "properties.a'b": "it's" }, ['single']],
  ['spaces as they are', { 'properties.a b': ' x y ' }, ['space']],
  ['spaces at the ends only where they were sent', { 'properties.a b': 'x y' }, []],
  ['a backslash', { 'properties.a\\b': 'C:\\dir' }, ['back']],
  ['an escaped backslash', { 'properties.a\\b': 'C:\\\\dir' }, ['back']],
  ['a key that looks like a JSON path', { 'properties.$.country': 'UA' }, ['dollar']],
  ['a key that looks like a parameter', { 'properties.$1': '$1' }, ['dollar']],
  ['a key that looks like a wildcard', { 'properties.*': 'UA' }, ['star']],
  ['a key that looks like an index', { 'properties.[0]': 'x' }, ['star']],
  ['a key that every object has', { 'properties.constructor': 'x' }, ['proto']],
  ['the key __proto__', { 'properties.__proto__': 'z' }, ['proto']],
  ['a key in another script', { 'properties.краіна': 'УА' }, ['unicode']],
  ['a key and a value beyond the BMP', { 'properties.🦓': '🦓' }, ['unicode']],
  ['an escaped comma', { segment: 'properties.city:Kyiv\\, UA' }, ['comma']],
  ['on both sides of a comma that is not escaped', { segment: 'properties.city:Kyiv, UA' }, ['kyiv']],
  ['SQL as text', { 'properties.city': "x' OR '1'='1" }, ['injection']],
  ['more SQL as text', { 'properties.city': "'; DROP TABLE hot; --" }, ['drop']],
  ['SQL in a key as text', { "properties.city') OR 1=1 --": 'x' }, []],
  ['a percent sign as text', { 'properties.city': '%' }, ['percent']],
  ['a number and its text', { 'properties.n': '95' }, ['n95', 't95']],
  ['a number however it is written', { 'properties.n': '95.0' }, ['n95', 't95.0']],
  ['a number with an exponent', { 'properties.n': '9.5e1' }, ['n95']],
  ['a fraction', { 'properties.n': '95.50' }, ['n95.5']],
  ['numbers among texts', { 'properties.n': '95,x,0' }, ['n95', 't95', 'n0']],
  ['zero, negative or not', { 'properties.n': '-0' }, ['n0']],
  ['a negative number', { 'properties.n': '-7.0' }, ['n-7']],
  ['a number beyond 64 bits', { 'properties.n': '1e21' }, ['n1e21']],
  ['a number beyond 64 bits, written out', { 'properties.n': '1000000000000000000000' }, ['n1e21']],
  ['0.1', { 'properties.n': '0.10' }, ['n0.1']],
  ['2^53', { 'properties.n': '9007199254740992' }, ['big']],
  ['the largest number', { 'properties.n': '1.7976931348623157e308' }, ['max']],
  ['no number by a text that is none', { 'properties.n': '0x5f, 95 ,95.,.1,+95' }, []],
  ['no number by Infinity', { 'properties.n': 'Infinity,NaN,1e999' }, []],
  ['true and its text', { 'properties.flag': 'true' }, ['true', 'text_true']],
  ['false', { 'properties.flag': 'false' }, ['false']],
  ['1, which is not true', { 'properties.flag': '1' }, ['one']],
]

describe('questions', () => {
  const home = serveQuestions()
  const { put, ask } = home

  before(async () => {
    await put(
      FILTERED.map(([event_type, properties]) => at('u', '2024-05-01T10:00:00Z', { event_type, properties })),
    )
    await put([
      at('buyer', '2024-05-02T10:00:00Z', { event_type: 'purchase', properties: { country: 'UA' } }),
      at('buyer', '2024-05-02T11:00:00Z', { event_type: 'view', properties: { country: 'UA' } }),
      at(7, '2024-05-02T10:00:00Z', { event_type: 'purchase', properties: { country: 'PL' } }),
      at('8', '2024-05-02T10:00:00Z', { event_type: 'view', properties: { country: 'PL' } }),
    ])
  })

  overBothTiers(home, () => {
    describe('a filter', () => {
      for (const [what, parameters, matched] of FILTERS) {
        it(`matches ${what}`, async () => {
          const day = { from: '2024-05-01', to: '2024-05-01' }
          const answer = await ask<TopEvents>('/stats/top-events', { ...day, limit: '1000', ...parameters })
          assert.deepEqual(
            answer.data.map(({ event_type }) => event_type),
            matched.toSorted(),
          )
        })
      }

      it('by event type or user counts only those events, on every route', async () => {
        const day = { from: '2024-05-02', to: '2024-05-02' }
        const count = async (segment: string | string[]) =>
          (await ask<Dau>('/stats/dau', { ...day, segment })).data[0]!.dau
        assert.equal(await count('event_type:purchase'), 2)
        assert.equal(await count('event_type:purchase,view'), 3)
        assert.equal(await count('event_type:Purchase'), 0)
        assert.equal(await count('user_id:7,8,9'), 2)
        assert.equal(await count(['event_type:purchase', 'properties.country:UA']), 1)
        assert.equal(await count(['event_type:purchase', 'event_type:view']), 0)
        const top = await ask<TopEvents>('/stats/top-events', { ...day, 'properties.country': 'UA' })
        assert.deepEqual(top.data, [
          { event_type: 'purchase', count: 1 },
          { event_type: 'view', count: 1 },
        ])
        const retention = await ask<{ cohort_size: number }>('/stats/retention', {
          start_date: '2024-05-02',
          'properties.country': 'PL',
        })
        assert.equal(retention.cohort_size, 2)
      })
    })
  })
})
