import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { createApp } from '../../src/http/app.ts'
import type { Deps } from '../../src/http/app.ts'
import type { Admission } from '../../src/http/admission.ts'
import type { Scope } from '../../src/auth/scope.ts'
import { readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/process/log.ts'
import { buildDocument } from '../../src/http/openapi/document.ts'
import { ROUTES } from '../../src/http/routes.ts'
import { ask, assertProblem, bearer, makeKeyIn, postJson } from '../support/auth.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { operationsOf, scopeOf } from '../support/openapi.ts'
import type { ApiDocument } from '../support/openapi.ts'
import { begin } from '../support/wire.ts'

/** Every route, as clients are told of it. */
const document = buildDocument({
  routes: ROUTES,
  limits: readConfig({}),
  version: '0',
}) as unknown as ApiDocument

const routesOf = (described: ApiDocument) =>
  operationsOf(described).map(({ method, path, operation }) => ({ method, path, scope: scopeOf(operation) }))

/** Who may do what, said once more: the document and the service take it from the same table. */
const PROMISED: Readonly<Record<Scope | 'everybody', readonly string[]>> = {
  everybody: [
    'GET /',
    'GET /docs',
    'GET /docs/{file}',
    'GET /livez',
    'GET /openapi.json',
    'GET /problems',
    'GET /problems/{code}',
    'GET /readyz',
    'POST /auth/login',
    'POST /auth/register',
  ],
  ingest: ['POST /events'],
  read: [
    'GET /events',
    'GET /metrics',
    'GET /stats/active-users',
    'GET /stats/dau',
    'GET /stats/event-types',
    'GET /stats/funnel',
    'GET /stats/lifecycle',
    'GET /stats/paths',
    'GET /stats/properties',
    'GET /stats/property-values',
    'GET /stats/retention',
    'GET /stats/sessions',
    'GET /stats/stickiness',
    'GET /stats/top-events',
    'GET /stats/trend',
    'GET /tiers',
    'POST /stats/active-users',
    'POST /stats/dau',
    'POST /stats/event-types',
    'POST /stats/funnel',
    'POST /stats/lifecycle',
    'POST /stats/paths',
    'POST /stats/properties',
    'POST /stats/property-values',
    'POST /stats/retention',
    'POST /stats/sessions',
    'POST /stats/stickiness',
    'POST /stats/top-events',
    'POST /stats/trend',
  ],
  admin: [
    'DELETE /dead-letters/{id}',
    'GET /dead-letters',
    'GET /dead-letters/{id}',
    'POST /dead-letters/{id}/replay',
  ],
}

const never = () => Promise.reject(new Error('not asked'))

describe('every route', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore({ ALLOW_REGISTRATION: 'true' })
  const keys = new Map<Scope, string>()
  before(async () => {
    for (const scope of ['ingest', 'read', 'admin'] as const) keys.set(scope, makeKeyIn(home, scope).key)
  })

  const request = (method: string, path: string, headers: Record<string, string> = {}) =>
    ask(home.url + path, method === 'POST' ? postJson([], headers) : { method, headers })

  it('is the one that the service itself documents', async () => {
    const served = (await ask(`${home.url}/openapi.json`)).json as unknown as ApiDocument
    assert.deepEqual(routesOf(served), routesOf(document))
  })

  it('is for whom it was promised to', () => {
    for (const [promised, routes] of Object.entries(PROMISED)) {
      const declared = routesOf(document).filter(({ scope }) => (scope ?? 'everybody') === promised)
      assert.deepEqual(declared.map(({ method, path }) => `${method} ${path}`).toSorted(), routes, promised)
    }
  })

  for (const { method, path, scope } of routesOf(document)) {
    it(`${method} ${path} answers ${scope === null ? 'everybody' : `only who has the scope ${scope}`}`, async () => {
      const bare = await request(method, path)
      if (scope === null) {
        assert.ok(![401, 403].includes(bare.status), `${bare.status}`)
        return
      }
      assertProblem(bare, 401, 'unauthorized')
      assertProblem(await request(method, path, bearer('fl_nonsense')), 401, 'unauthorized')
      for (const [held, key] of keys) {
        for (const headers of [bearer(key), { 'x-api-key': key }]) {
          const answer = await request(method, path, headers)
          if (held === scope || held === 'admin') {
            // There is no such dead letter, and only its own route can say so.
            const missing = path.startsWith('/dead-letters/{id}') && answer.status === 404
            assert.ok(missing || ![401, 403, 404, 405].includes(answer.status), `${held}: ${answer.status}`)
          } else {
            assertProblem(answer, 403, 'forbidden')
            assert.match(answer.headers.get('www-authenticate')!, new RegExp(`scope="${scope}"`))
          }
        }
      }
    })
  }

  it('gives nothing away under another spelling or method', async () => {
    const paths = [
      '/tiers/',
      '//tiers',
      '/TIERS',
      '/%74iers',
      '/./tiers',
      '/x/../tiers',
      '/tiers;',
      '/tiers%2f',
    ]
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const { request: outgoing, reply } = begin(home.url + path, method)
        // fetch would tidy the path up first.
        outgoing.path = path
        outgoing.end()
        const { status } = await reply
        assert.ok([401, 404].includes(status), `${method} ${path}: ${status}`)
      }
    }
    assert.equal((await ask(`${home.url}/tiers`, { method: 'HEAD' })).status, 401)
    assert.equal((await ask(`${home.url}/tiers`, { method: 'DELETE' })).status, 405)
  })

  it('is one of the table of routes, and each of the table is served', () => {
    const admission: Admission = {
      tellLimits: (_c, next) => next(),
      require: () => (_c, next) => next(),
      requireEvents() {},
      takeEvents() {},
      addressOf: () => '',
    }
    const unused = {} as Omit<Deps, 'admission' | 'logins'>
    const app = createApp({
      ...unused,
      config: readConfig({}),
      log: createLogger('silent'),
      admission,
      logins: { login: never, register: never },
    })
    const declared = ROUTES.map(({ method, path }) => `${method} ${path}`)
    const routed = new Set(
      app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`),
    )
    assert.deepEqual([...routed].toSorted(), declared.toSorted())
  })
})
