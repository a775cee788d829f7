import { PROBLEMS, problemType } from '../problem/problems.ts'
import type { Problem } from '../problem/problem.ts'
import type { ProblemKind } from '../problem/problems.ts'

/** Renders problems as HTTP replies (RFC 9457). */

export function renderProblem(problem: Problem): Response {
  const { status, headers, body } = problemReply(problem)
  return new Response(body, { status, headers })
}

/** Returns status, headers and document of a problem. `type` is the address of its explanation. */
export function problemReply(problem: Problem): {
  status: number
  headers: Record<string, string>
  body: string
} {
  const kind: ProblemKind = PROBLEMS[problem.code]
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
  }
  if (kind.retry_after_s !== undefined) headers['retry-after'] = String(kind.retry_after_s)
  Object.assign(headers, problem.headers)
  const document = {
    type: problemType(problem.code),
    title: kind.title,
    status: kind.status,
    detail: problem.message,
    ...problem.extra,
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
  }
  return { status: kind.status, headers, body: JSON.stringify(document) }
}
