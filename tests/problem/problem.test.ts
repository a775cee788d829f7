import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { renderProblem } from '../../src/http/problem-reply.ts'
import { Problem } from '../../src/problem/problem.ts'
import { PROBLEMS } from '../../src/problem/problems.ts'
import type { ProblemCode } from '../../src/problem/problems.ts'

const CODES = Object.keys(PROBLEMS) as ProblemCode[]

const headersOf = (code: ProblemCode, retry_after_s?: number) =>
  renderProblem(new Problem(code, '', retry_after_s === undefined ? {} : { retry_after_s })).headers

describe('a problem', () => {
  it('is a document of RFC 9457 with the status and title of its kind', async () => {
    for (const code of CODES) {
      const reply = renderProblem(new Problem(code, 'A detail.', { extra: { received: 1 } }))
      const { status, title } = PROBLEMS[code]
      assert.equal(reply.status, status)
      assert.equal(reply.headers.get('content-type'), 'application/problem+json')
      assert.deepEqual(await reply.json(), {
        type: `/problems/${code}`,
        title,
        status,
        detail: 'A detail.',
        received: 1,
      })
    }
  })

  it('says when to try again, where that makes sense, and a time of its own goes first', () => {
    assert.equal(headersOf('queue_full').get('retry-after'), '1')
    assert.equal(headersOf('queue_full', 7).get('retry-after'), '7')
    assert.equal(headersOf('not_json').get('retry-after'), null)
    for (const code of CODES.filter((name) => PROBLEMS[name].status === 503)) {
      assert.ok(headersOf(code).has('retry-after'), code)
    }
  })
})
