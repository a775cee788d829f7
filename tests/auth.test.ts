import { operationsOf, scopeOf } from './openapi.ts'
import { buildDocument } from '../src/openapi/document.ts'
import assert from 'node:assert/strict'
import { createHmac, randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Admission } from '../src/auth/admission.ts'
import type { Scope } from '../src/auth/scope.ts'
import { removeUser } from '../src/auth/users.ts'
import { createApp } from '../src/app.ts'
import type { Deps } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { refuseUndeclared, ROUTES } from '../src/routes.ts'
import { createLogger } from '../src/log.ts'
import { createDeadLetterRoutes } from '../src/dead-letters/routes.ts'
import type { DeadLetterDeps } from '../src/dead-letters/routes.ts'
import { createInProcessStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import type { ApiDocument } from './openapi.ts'
import { begin } from './wire.ts'
import {
  HANGS_AFTER_MS,
  KEY,
  ask,
  bearer,
  postJson,
  assertProblem,
  createClocks,
  makeKeyIn,
  addUserIn,
  login,
} from './auth.ts'

const JWT_SECRET = 'a secret of thirty-two letters..'

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs what the service itself would never sign. */
function forge(header: object, payload: object, secret = JWT_SECRET): string {
  const text = `${encoded(header)}.${encoded(payload)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

/** Every route, as clients are told of it. */
const document = buildDocument({
  routes: ROUTES,
  limits: readConfig({}),
  version: '0',
}) as unknown as ApiDocument

const routesOf = (described: ApiDocument) =>
  operationsOf(described).map(({ method, path, operation }) => ({ method, path, scope: scopeOf(operation) }))

const never = () => Promise.reject(new Error('not asked'))

describe('every route', { timeout: HANGS_AFTER_MS }, () => {
  let home: InProcessStore
  const keys = new Map<Scope, string>()
  before(async () => {
    home = createInProcessStore()
    await home.start({ ALLOW_REGISTRATION: 'true' })
    for (const scope of ['ingest', 'read', 'admin'] as const) keys.set(scope, makeKeyIn(home, scope).key)
  })
  after(() => home.remove())

  const request = (method: string, path: string, headers: Record<string, string> = {}) =>
    ask(home.url + path, method === 'POST' ? postJson([], headers) : { method, headers })

  it('is the one that the service itself documents', async () => {
    const served = (await ask(`${home.url}/openapi.json`)).json as unknown as ApiDocument
    assert.deepEqual(routesOf(served), routesOf(document))
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

  it('stands in the table, and the service refuses to start with one that does not', () => {
    const admission: Admission = {
      tellLimits: (_c, next) => next(),
      require: () => (_c, next) => next(),
      takeEvents() {},
      addressOf: () => '',
    }
    const unused = {} as Omit<Deps, 'admission' | 'logins'>
    const deadLetters = createDeadLetterRoutes({} as DeadLetterDeps)
    const app = createApp({
      ...unused,
      deadLetters,
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
    app.get('/forgotten', (c) => c.text('open to all'))
    assert.throws(() => refuseUndeclared(app.routes), /GET \/forgotten/)
    assert.throws(() => refuseUndeclared([{ method: 'ALL', path: '/also' }]), /ALL \/also/)
  })
})

describe('a credential', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  let home: InProcessStore
  before(async () => {
    home = createInProcessStore()
    await home.start({ AUTH_JWT_SECRET: JWT_SECRET, AUTH_TOKEN_LIFETIME_S: '900' }, clocks.seams)
  })
  after(() => home.remove())

  const tiers = (headers: Record<string, string>) => ask(`${home.url}/tiers`, { headers })

  const HS256 = { alg: 'HS256', typ: 'JWT' }

  it('may be sent in both ways at once only if both are the same', async () => {
    const { key } = makeKeyIn(home, 'read')
    const other = makeKeyIn(home, 'read').key
    assert.equal((await tiers({ ...bearer(key), 'x-api-key': key })).status, 200)
    assertProblem(await tiers({ ...bearer(key), 'x-api-key': other }), 401, 'unauthorized')
    assertProblem(await tiers({ ...bearer(other), 'x-api-key': key }), 401, 'unauthorized')
    assertProblem(await tiers({ ...bearer(''), 'x-api-key': key }), 401, 'unauthorized')
    // Not ours to judge: a proxy in front may want it.
    assert.equal((await tiers({ authorization: 'Basic Zm9vOmJhcg==', 'x-api-key': key })).status, 200)
  })

  it('is a whole key and nothing around it', async () => {
    const { key } = makeKeyIn(home, 'read')
    assert.match(key, KEY)
    assert.equal((await tiers({ authorization: `bearer   ${key}` })).status, 200)
    const flipped = key.slice(0, -2) + (key.at(-2) === 'A' ? 'B' : 'A') + key.at(-1)
    const wrong = [
      key.slice(0, -1),
      `${key}A`,
      key.slice(3),
      key.toUpperCase(),
      flipped,
      `fl_${key}`,
      `${key},${key}`,
    ]
    for (const secret of wrong) assertProblem(await tiers(bearer(secret)), 401, 'unauthorized')
    for (const authorization of ['', 'Bearer', key, `Basic ${key}`, `Token ${key}`, `Bearer${key}`]) {
      assertProblem(await tiers({ authorization }), 401, 'unauthorized')
    }
    for (const secret of ['', "' OR 1=1 --", 'x'.repeat(8_000)]) {
      assertProblem(await tiers({ 'x-api-key': secret }), 401, 'unauthorized')
    }
  })

  it('with several scopes has each of them and no other', async () => {
    const { key } = makeKeyIn(home, 'ingest', 'read')
    assert.equal((await tiers(bearer(key))).status, 200)
    assert.equal((await ask(`${home.url}/events`, postJson([], bearer(key)))).status, 200)
  })

  it('that is a token has its times to the second', async () => {
    await addUserIn(home, 'timed', 'read')
    const { status, json, headers } = await login(home.url, 'timed')
    assert.equal(status, 200)
    const token = String(json['token'])
    assert.deepEqual(json, { token, token_type: 'Bearer', expires_in_s: 900, scope: 'read' })
    assert.equal(headers.get('cache-control'), 'no-store')
    const began = clocks.s
    assert.equal((await tiers(bearer(token))).status, 200)
    clocks.setWallClock(began - 1)
    assertProblem(await tiers(bearer(token)), 401, 'unauthorized')
    clocks.setWallClock(began + 899)
    assert.equal((await tiers(bearer(token))).status, 200)
    clocks.setWallClock(began + 900)
    assertProblem(await tiers(bearer(token)), 401, 'unauthorized')
    clocks.setWallClock(began)
  })

  it('that is a token cannot be made or changed by anybody else', async () => {
    await addUserIn(home, 'forged', 'read')
    const token = String((await login(home.url, 'forged')).json['token'])
    const [header, payload, signature] = token.split('.') as [string, string, string]
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
    assert.equal((await tiers(bearer(forge(HS256, claims)))).status, 200, 'the forger knows how')

    const forged: Record<string, string> = {
      'a changed payload': [header, encoded({ ...claims, exp: clocks.s + 9e9 }), signature].join('.'),
      'another secret': forge(HS256, claims, JWT_SECRET.replace('a', 'b')),
      'an empty secret': forge(HS256, claims, ''),
      'alg none, unsigned': `${encoded({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      'alg none, signed': forge({ alg: 'none', typ: 'JWT' }, claims),
      'alg None': forge({ alg: 'None', typ: 'JWT' }, claims),
      'alg HS512': forge({ alg: 'HS512', typ: 'JWT' }, claims),
      'a header with more': forge({ ...HS256, kid: '../../dev/null' }, claims),
      'no signature': `${header}.${payload}.`,
      'no dot': `${header}.${payload}`,
      'a part more': `${token}.${signature}`,
      'a cut signature': token.slice(0, -1),
      // Decodes to the same bytes.
      'other unused bits': token.slice(0, -1) + String.fromCharCode(token.codePointAt(token.length - 1)! + 1),
      'no subject': forge(HS256, { ...claims, sub: undefined }),
      'a subject that is nobody': forge(HS256, { ...claims, sub: randomUUID() }),
      'the number of a user': forge(HS256, { ...claims, sub: 1 }),
      'no end': forge(HS256, { ...claims, exp: undefined }),
      'an end that is text': forge(HS256, { ...claims, exp: '9999999999' }),
      'no beginning': forge(HS256, { ...claims, nbf: undefined }),
      'no claims': forge(HS256, []),
      'null for claims': `${header}.${encoded(null)}.${createHmac('sha256', JWT_SECRET)
        .update(`${header}.${encoded(null)}`)
        .digest('base64url')}`,
      'more than a token can have': forge(HS256, { ...claims, pad: 'x'.repeat(4_000) }),
    }
    for (const [what, secret] of Object.entries(forged)) {
      const answer = await tiers(bearer(secret))
      assert.equal(answer.status, 401, what)
    }
  })

  it('of a removed user ends with the user, also when the name comes back', async () => {
    await addUserIn(home, 'leaver', 'read')
    const token = String((await login(home.url, 'leaver')).json['token'])
    assert.equal((await tiers(bearer(token))).status, 200)
    assert.equal(
      home.inSqlite((db) => removeUser(db, 'leaver')),
      1,
    )
    assertProblem(await tiers(bearer(token)), 401, 'unauthorized')
    await addUserIn(home, 'leaver', 'read')
    assertProblem(await tiers(bearer(token)), 401, 'unauthorized')
  })

  it('that is a token has the scope of its user', async () => {
    await addUserIn(home, 'poster', 'ingest')
    const { json } = await login(home.url, 'poster')
    const token = String(json['token'])
    assert.equal(json['scope'], 'ingest')
    assertProblem(await tiers(bearer(token)), 403, 'forbidden')
    assert.equal((await ask(`${home.url}/events`, postJson([], bearer(token)))).status, 200)
  })
})
