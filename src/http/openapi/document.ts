import type { Config } from '../../config.ts'
import { PROBLEMS } from '../../problem/problems.ts'
import type { ProblemCode } from '../../problem/problems.ts'
import type { Route, RouteName } from '../routes.ts'
import { describeOperation } from './describe.ts'
import { HEADERS } from './headers.ts'
import type { Json } from './json-schema.ts'
import { problemDocument } from './operation.ts'
import type { Operation } from './operation.ts'
import {
  deleteDeadLetter,
  getDeadLetter,
  listDeadLetters,
  replayDeadLetter,
} from './operations/dead-letters.ts'
import { getEvents } from './operations/get-events.ts'
import { postLogin, postRegister } from './operations/logins.ts'
import { postEvents } from './operations/post-events.ts'
import { getProblem, listProblems } from './operations/problems.ts'
import { getTiers, QUESTION_OPERATIONS } from './operations/questions.ts'
import {
  getDocs,
  getDocsFile,
  getLivez,
  getMetrics,
  getOpenapi,
  getReadyz,
  getRoot,
} from './operations/service.ts'
import { SCHEMAS } from './schemas.ts'
import { situationsOf } from './situations.ts'

/**
 * Builds the OpenAPI 3.1 document. Routes and scopes come from ROUTES, errors from PROBLEMS, input
 * schemas from valibot. Each example of a reply has `x-request`, the request that causes it, or
 * `x-situation`, a description, if no single request causes it.
 */

export interface DocumentOptions {
  routes: readonly Route[]
  limits: Config
  version: string
}

function operationsOf({ routes, limits }: DocumentOptions): Record<RouteName, Operation> {
  return {
    'POST /events': postEvents(limits),
    'GET /events': getEvents,
    'GET /dead-letters': listDeadLetters,
    'GET /dead-letters/:id': getDeadLetter,
    'POST /dead-letters/:id/replay': replayDeadLetter,
    'DELETE /dead-letters/:id': deleteDeadLetter,
    ...QUESTION_OPERATIONS,
    'GET /tiers': getTiers,
    'GET /metrics': getMetrics,
    'GET /': getRoot(routes),
    'GET /livez': getLivez,
    'GET /readyz': getReadyz,
    'GET /openapi.json': getOpenapi,
    'GET /problems': listProblems,
    'GET /problems/:code': getProblem,
    'GET /docs': getDocs,
    'GET /docs/:file': getDocsFile,
    'POST /auth/login': postLogin(limits),
    'POST /auth/register': postRegister,
  }
}

/** @throws {Error} that names the first route without an operation */
export function buildDocument(options: DocumentOptions): Json {
  const { routes, limits, version } = options
  const operations: Readonly<Record<string, Operation>> = operationsOf(options)
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const operation = operations[`${route.method} ${route.path}`]
    if (operation === undefined) throw new Error(`${route.method} ${route.path} has no OpenAPI operation`)
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeOperation(route, operation) }
  }
  const situations = Object.entries(situationsOf(limits)).map(([name, detail]) => {
    const code = name as ProblemCode
    const { meaning } = PROBLEMS[code]
    return [name, { summary: meaning, value: problemDocument(code, detail), 'x-situation': meaning }]
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'Frostline',
      version,
      description:
        'Stores product events and answers queries over them. Errors are `application/problem+json` (RFC 9457). ' +
        'A store without keys and users accepts every request without a credential.',
    },
    tags: [...new Set(Object.values(operations).map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: SCHEMAS,
      headers: HEADERS,
      examples: Object.fromEntries(situations),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or the token of a login.' },
        key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
      },
    },
  }
}
