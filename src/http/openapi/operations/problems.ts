import { CONTENT_TYPES } from '../../../query/format.ts'
import { PROBLEM_CODES } from '../../../problem/problems.ts'
import { explainProblem, NO_SUCH_PROBLEM } from '../../handlers/problems.ts'
import type { Json } from '../json-schema.ts'
import { JSON_TYPE, jsonReply, refusal } from '../operation.ts'
import type { Operation } from '../operation.ts'
import { ref } from '../schemas.ts'

/** `/problems`. */

const page = { type: 'string', description: 'The same as a page, for browsers.' }
const replyOf = (schema: Json): Operation['replies'] => ({
  200: {
    description: 'What it means, and what to do.',
    content: { [JSON_TYPE]: schema, [CONTENT_TYPES.html]: page },
  },
})
const inBrowser = {
  summary: 'In a browser',
  headers: { accept: 'text/html' },
  status: 200,
  reply: { type: CONTENT_TYPES.html },
}

export const listProblems: Operation = {
  id: 'listProblems',
  tag: 'service',
  summary: 'List all problems',
  replies: replyOf(ref('Explanations')),
  examples: {
    all: { summary: 'All problems', ...jsonReply({ data: PROBLEM_CODES.map(explainProblem) }) },
    all_in_browser: inBrowser,
  },
}

export const getProblem: Operation = {
  id: 'getProblem',
  tag: 'service',
  summary: 'Explain a problem',
  description: 'The `type` of every problem document is such an address.',
  parameters: [{ name: 'code', in: 'path', required: true, schema: { enum: PROBLEM_CODES } }],
  replies: replyOf(ref('Explanation')),
  examples: {
    explained: {
      summary: 'A missing key',
      path: '/problems/unauthorized',
      ...jsonReply(explainProblem('unauthorized')),
    },
    explained_in_browser: { ...inBrowser, path: '/problems/unauthorized' },
    no_such_problem: {
      summary: 'No such problem',
      path: '/problems/other',
      ...refusal('not_found', NO_SUCH_PROBLEM),
    },
  },
}
