import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serveQuestions } from '../support/asking.ts'
import { get } from '../support/store.ts'

interface Problem {
  type: string
  status: number
  detail: string
  errors: { path: string; message: string }[]
}

const repeat = (count: number, text: string, separator: string) =>
  Array.from({ length: count }, () => text).join(separator)

describe('questions', () => {
  const home = serveQuestions()

  describe('with a wrong parameter are refused, and the reply names', () => {
    const range = 'from=2025-01-01&to=2025-01-31'
    const wrong: Record<string, string[]> = {
      from: [
        '/stats/dau?to=2025-01-31',
        '/stats/dau?from=&to=2025-01-31',
        '/stats/dau?from=2025-02-29&to=2025-03-31',
        '/stats/dau?from=2025-1-1&to=2025-01-31',
        '/stats/dau?from=20250101&to=2025-01-31',
        '/stats/dau?from=2025-01-01T00:00:00Z&to=2025-01-31',
        '/stats/dau?from=%202025-01-01&to=2025-01-31',
        '/stats/dau?from=2025-02-01&to=2025-01-31',
        '/stats/dau?from=1969-12-31&to=1970-01-01',
        '/stats/dau?from=2025-01-01&from=2025-01-01&to=2025-01-31',
        '/stats/top-events?to=2025-01-31',
        '/stats/top-events?from=yesterday&to=2025-01-31',
      ],
      to: [
        '/stats/dau?from=2025-01-01',
        '/stats/dau?from=2025-01-01&to=2025-01-32',
        '/stats/dau?from=2025-01-01&to=10000-01-01',
        '/stats/dau?from=2025-01-01&to=-',
        '/stats/dau?from=2020-01-01&to=2030-01-08',
        `/stats/dau?${range}&to=2025-01-31`,
        '/stats/top-events?from=2025-01-01&to=now',
      ],
      limit: [
        '0',
        '-1',
        '1001',
        '1.5',
        'ten',
        '',
        '%205',
        '+5',
        '1e2',
        '0x10',
        '99999999999',
        '5&limit=5',
      ].map((value) => `/stats/top-events?${range}&limit=${value}`),
      start_date: [
        '/stats/retention',
        '/stats/retention?start_date=',
        '/stats/retention?start_date=2025-13-01',
        '/stats/retention?start_date=1969-12-31',
        '/stats/retention?start_date=9999-12-31',
        '/stats/retention?start_date=2025-01-01&start_date=2025-01-02',
      ],
      windows: ['0', '-1', '367', '1.5', 'three', '', '3&windows=3'].map(
        (value) => `/stats/retention?start_date=2025-01-01&windows=${value}`,
      ),
      window: ['', 'hour', 'Day', 'days', 'day&window=day', 'constructor'].map(
        (value) => `/stats/retention?start_date=2025-01-01&window=${value}`,
      ),
      segment: [
        '',
        'purchase',
        'event_type',
        'event_type:',
        'event_type:a,,b',
        'event_type:a,',
        'event_type:,',
        'country:UA',
        'Event_Type:a',
        'event_id:a',
        'properties:UA',
        'properties.:UA',
        'properties.country',
        'event_type:a%00b',
        `event_type:${repeat(101, 'a', ',')}`,
        `event_type:${'a'.repeat(2_048)}`,
        repeat(17, 'event_type:a', '&segment='),
      ].flatMap((value) => [
        `/stats/dau?${range}&segment=${value}`,
        `/stats/top-events?${range}&segment=${value}`,
        `/stats/retention?start_date=2025-01-01&segment=${value}`,
      ]),
      properties: [
        `/stats/dau?${range}&properties.country=`,
        `/stats/dau?${range}&properties.country`,
        `/stats/dau?${range}&properties.country=UA,,PL`,
        `/stats/dau?${range}&properties.=UA`,
        `/stats/dau?${range}&properties.a%00b=UA`,
      ],
    }
    for (const [name, questions] of Object.entries(wrong)) {
      it(name, async () => {
        for (const question of questions) {
          const response = await fetch(home.url + question)
          const problem = (await response.json()) as Problem
          assert.equal(response.status, 400, question)
          assert.equal(response.headers.get('content-type'), 'application/problem+json')
          assert.equal(problem.type, '/problems/invalid_parameter')
          assert.equal(problem.status, 400)
          assert.deepEqual(
            problem.errors.map(({ path }) => path).filter((path) => path !== name && path !== 'to'),
            question === '/stats/dau' ? ['from'] : [],
            question,
          )
          assert.ok(
            problem.errors.some(({ path, message }) => path === name && message !== ''),
            question,
          )
          assert.match(problem.detail, new RegExp(name))
        }
      })
    }

    it('what is known where one is unknown', async () => {
      for (const name of ['limit', 'From', 'country', 'segments', 'properties', 'toString', '__proto__']) {
        const { status, json } = await get<Problem>(`${home.url}/stats/dau?${range}&${name}=1`)
        assert.equal(status, 400, name)
        assert.equal(json.type, '/problems/invalid_parameter')
        assert.match(
          json.detail,
          /unknown parameter; this question takes from, to, group_by, groups, tz, week_start, where, segment/,
        )
      }
    })

    it('all of them at once', async () => {
      const { json } = await get<Problem>(
        `${home.url}/stats/top-events?from=x&limit=0&segment=y&properties.k=&z=1`,
      )
      assert.deepEqual(json.errors.map(({ path }) => path).toSorted(), [
        '',
        'from',
        'limit',
        'properties',
        'segment',
        'to',
      ])
    })
  })
})
