import type { Config } from '../../config.ts'
import type { ProblemCode } from '../../problem/problem.ts'
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
import { getDau, getRetention, getTiers, getTopEvents } from './operations/questions.ts'
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
 * The API's document, OpenAPI 3.1. ROUTES says which routes there are and what scope they need, PROBLEMS what may go wrong, the valibot
 * schemas what goes in. Each example of a reply carries the request that it answers as `x-request`, or, where no single request
 * brings it about, `x-situation` in words.
 */

export interface DocumentOptions {
  routes: readonly Route[]
  limits: Config
  version: string
}

/** A route without an operation here does not compile, and the service does not start with it. */
function operationsOf({ routes, limits }: DocumentOptions): Record<RouteName, Operation> {
  return {
    'POST /events': postEvents(limits),
    'GET /events': getEvents,
    'GET /dead-letters': listDeadLetters,
    'GET /dead-letters/:id': getDeadLetter,
    'POST /dead-letters/:id/replay': replayDeadLetter,
    'DELETE /dead-letters/:id': deleteDeadLetter,
    'GET /stats/dau': getDau,
    'GET /stats/top-events': getTopEvents,
    'GET /stats/retention': getRetention,
    'GET /tiers': getTiers,
    'GET /metrics': getMetrics,
    'GET /': getRoot(routes),
    'GET /livez': getLivez,
    'GET /readyz': getReadyz,
    'GET /openapi.json': getOpenapi,
    'GET /docs': getDocs,
    'GET /docs/:file': getDocsFile,
    'POST /auth/login': postLogin(limits),
    'POST /auth/register': postRegister,
  }
}

/** @throws {Error} naming the first route that nobody described */
export function buildDocument(options: DocumentOptions): Json {
  const { routes, limits, version } = options
  const operations: Readonly<Record<string, Operation>> = operationsOf(options)
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const operation = operations[`${route.method} ${route.path}`]
    if (operation === undefined)
      throw new Error(`${route.method} ${route.path} has no operation in the document`)
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describeOperation(route, operation) }
  }
  const situations = Object.entries(situationsOf(limits)).map(([code, { when, detail }]) => [
    code,
    { summary: when, value: problemDocument(code as ProblemCode, detail), 'x-situation': when },
  ])
  return {
    openapi: '3.1.0',
    info: {
      title: 'Frostline',
      version,
      description:
        'Product events in, answers out. Errors are `application/problem+json` (RFC 9457). ' +
        'While a store has no key and no user, no operation asks for one.',
    },
    tags: [...new Set(Object.values(operations).map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: SCHEMAS,
      headers: HEADERS,
      examples: Object.fromEntries(situations),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A key, or the token of a login.' },
        key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
      },
    },
  }
}
