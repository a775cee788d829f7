import assert from 'node:assert/strict'
import { createHmac, randomUUID } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseOptions } from '@node-rs/argon2'
import Database from 'better-sqlite3'
import type { Admission } from '../src/auth/admission.ts'
import { createKey, KEY_NAME_CHARS_MAX, listKeys, revokeKey } from '../src/auth/keys.ts'
import { createLastUse, NOTE_EVERY_MS, TRY_EVERY_MS } from '../src/auth/last-use.ts'
import { LOGIN_BODY_BYTES_MAX } from '../src/auth/login-routes.ts'
import {
  ARGON2_LANES,
  ARGON2_MEMORY_KIB,
  ARGON2_PASSES,
  DECOY_HASH,
  hashPassword,
  PASSWORD_CHARS_MAX,
  PASSWORD_CHARS_MIN,
} from '../src/auth/password.ts'
import type { Scope } from '../src/auth/scope.ts'
import { addUser, removeUser, USER_NAME_CHARS_MAX } from '../src/auth/users.ts'
import { createApp } from '../src/app.ts'
import type { Deps } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { buildDocument } from '../src/openapi/document.ts'
import { refuseUndeclared, ROUTES } from '../src/routes.ts'
import { createDeadLetterRoutes } from '../src/dead-letters/routes.ts'
import type { DeadLetterDeps } from '../src/dead-letters/routes.ts'
import { nowMicros } from '../src/time.ts'
import { createInProcessStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import { operationsOf, scopeOf } from './openapi.ts'
import type { ApiDocument } from './openapi.ts'
import { createTestStore } from './store.ts'
import type { TestStore } from './store.ts'
import { begin, eventOf, logOf, untilLogged } from './wire.ts'

const HANGS_AFTER_MS = 600_000
const JSON_TYPE = { 'content-type': 'application/json' }
const JWT_SECRET = 'a secret of thirty-two letters..'
const PASSWORD = 'correct horse battery staple'
const KEY = /^fl_[A-Za-z0-9_-]{43}$/

interface Answer {
  status: number
  headers: Headers
  json: Record<string, unknown>
  text: string
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  const isJson = text !== '' && (response.headers.get('content-type') ?? '').includes('json')
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
const postJson = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(body),
})

function assertProblem({ status, headers, json, text }: Answer, expected: number, code: string) {
  assert.equal(status, expected, text)
  assert.equal(json['type'], `/problems/${code}`)
  assert.equal(headers.get('content-type'), 'application/problem+json')
  if (expected === 401 || expected === 403) {
    assert.match(headers.get('www-authenticate')!, /^Bearer realm="frostline"/)
  }
}

/** Clocks that stand until they are moved. */
function createClocks() {
  const clocks = { ms: 5_000, s: 1_800_000_000 }
  return {
    seams: { now_ms: () => clocks.ms, now_s: () => clocks.s },
    pass(ms: number) {
      clocks.ms += ms
      clocks.s += ms / 1_000
    },
    setWallClock(s: number) {
      clocks.s = s
    },
    get s() {
      return clocks.s
    },
  }
}

const makeKeyIn = (home: InProcessStore, ...scopes: Scope[]) =>
  home.inSqlite((db) => createKey(db, 'test', scopes, nowMicros()))

async function addUserIn(home: InProcessStore, name: string, ...scopes: Scope[]) {
  const password_hash = await hashPassword(PASSWORD)
  assert.equal(
    home.inSqlite((db) => addUser(db, name, password_hash, scopes, nowMicros())),
    1,
  )
}

const login = (url: string, username: string, password = PASSWORD, headers: Record<string, string> = {}) =>
  ask(`${url}/auth/login`, postJson({ username, password }, headers))

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs what the service itself would never sign. */
function forge(header: object, payload: object, secret = JWT_SECRET): string {
  const text = `${encoded(header)}.${encoded(payload)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

const batch = (count: number) => Array.from({ length: count }, () => eventOf({ event_type: 'limited' }))

/** As another process that writes. */
function holdWriteLock(path: string) {
  const db = new Database(path)
  db.exec('BEGIN IMMEDIATE')
  return {
    db,
    end() {
      db.exec('ROLLBACK')
      db.close()
    },
  }
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

describe('logging in', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  let home: InProcessStore
  before(async () => {
    home = createInProcessStore()
    await home.start({ TRUSTED_PROXIES: '127.0.0.1', ALLOW_REGISTRATION: 'true' }, clocks.seams)
    await addUserIn(home, 'anna', 'read')
  })
  after(() => home.remove())

  let hosts = 0
  /** Each call another address, so that only the limit in question is met. */
  const elsewhere = () => {
    hosts += 1
    return { 'x-forwarded-for': `198.51.100.${hosts}` }
  }

  it('answers a name that nobody has and a wrong password the same', async () => {
    const answers = [
      await login(home.url, 'anna', 'wrong horse battery staple', elsewhere()),
      await login(home.url, 'nobody', PASSWORD, elsewhere()),
      await login(home.url, 'No Name At All!', PASSWORD, elsewhere()),
      await login(home.url, 'anna', '', elsewhere()),
      await login(home.url, 'anna', 'x'.repeat(PASSWORD_CHARS_MAX + 1), elsewhere()),
    ]
    for (const answer of answers) {
      assertProblem(answer, 401, 'unauthorized')
      assert.equal(answer.text, answers[0]!.text)
      const names = [...answer.headers.keys()].toSorted()
      assert.deepEqual(names, [...answers[0]!.headers.keys()].toSorted())
    }
    // As much work for one as for the other.
    const { memoryCost, timeCost, parallelism, algorithm } = parseOptions(DECOY_HASH)
    assert.deepEqual(
      [memoryCost, timeCost, parallelism, algorithm],
      [ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, 2],
    )
    assert.deepEqual({ ...parseOptions(await hashPassword(PASSWORD)) }, { ...parseOptions(DECOY_HASH) })
  })

  it('takes names without regard to case', async () => {
    assert.equal((await login(home.url, 'ANNA', PASSWORD, elsewhere())).status, 200)
  })

  it('wants a small body of JSON with a name and a password', async () => {
    const url = `${home.url}/auth/login`
    const send = (body: string, headers: Record<string, string> = JSON_TYPE) =>
      ask(url, { method: 'POST', body, headers: { ...headers, ...elsewhere() } })
    assertProblem(await send('{', JSON_TYPE), 400, 'not_json')
    assertProblem(await send('{}', { 'content-type': 'text/plain' }), 415, 'unsupported_media_type')
    for (const body of ['[]', 'null', '{}', '{"username":"anna"}', '{"username":"anna","password":1}']) {
      assertProblem(await send(body), 422, 'invalid_login')
    }
    const full = JSON.stringify({ username: 'nobody', password: PASSWORD }).padEnd(LOGIN_BODY_BYTES_MAX)
    assertProblem(await send(full), 401, 'unauthorized')
    assertProblem(await send(`${full} `), 413, 'body_too_large')
    const chunked = { method: 'POST', duplex: 'half', headers: { ...JSON_TYPE, ...elsewhere() } }
    const streamed = await ask(url, { ...chunked, body: new Blob([`${full} `]).stream() } as RequestInit)
    assertProblem(streamed, 413, 'body_too_large')
  })

  it('may be tried ten times from one address, and once more after six seconds', async () => {
    const from = elsewhere()
    for (let i = 0; i < 10; i += 1) {
      assert.equal((await login(home.url, `guess${i}`, PASSWORD, from)).status, 401, `try ${i + 1}`)
    }
    const refused = await login(home.url, 'guess10', PASSWORD, from)
    assertProblem(refused, 429, 'rate_limited')
    assert.equal(refused.headers.get('retry-after'), '6')
    const registering = postJson({ username: 'guess11', password: PASSWORD }, from)
    assertProblem(await ask(`${home.url}/auth/register`, registering), 429, 'rate_limited')
    assert.equal((await login(home.url, 'guess10', PASSWORD, elsewhere())).status, 401)
    // What the wall clock is set to changes nothing.
    clocks.setWallClock(clocks.s + 1_000_000)
    assert.equal((await login(home.url, 'guess10', PASSWORD, from)).status, 429)
    clocks.pass(5_999)
    assert.equal((await login(home.url, 'guess10', PASSWORD, from)).status, 429)
    clocks.pass(1)
    assert.equal((await login(home.url, 'guess10', PASSWORD, from)).status, 401)
  })

  it('may be tried five times for one name from anywhere, whether it exists or not', async () => {
    clocks.pass(600_000)
    for (const name of ['anna', 'ghost']) {
      for (let i = 0; i < 5; i += 1) {
        const written = i % 2 === 0 ? name : name.toUpperCase()
        assert.equal((await login(home.url, written, 'a wrong password', elsewhere())).status, 401)
      }
      const refused = await login(home.url, name, PASSWORD, elsewhere())
      assertProblem(refused, 429, 'rate_limited')
      assert.equal(refused.headers.get('retry-after'), '12')
    }
    clocks.pass(11_999)
    assert.equal((await login(home.url, 'anna', PASSWORD, elsewhere())).status, 429)
    clocks.pass(1)
    assert.equal((await login(home.url, 'anna', PASSWORD, elsewhere())).status, 200)
  })

  it('waits in a bounded line while others are checked', async () => {
    const many = Array.from({ length: 60 }, (_, i) => login(home.url, `crowd${i}`, PASSWORD, elsewhere()))
    const answers = await Promise.all(many)
    const busy = answers.filter(({ status }) => status === 503)
    assert.ok(busy.length > 0 && busy.length < 60, `${busy.length}`)
    for (const answer of busy) assertProblem(answer, 503, 'logins_busy')
    assert.equal(answers.filter(({ status }) => status === 401).length, 60 - busy.length)
  })
})

describe('registering', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  let home: InProcessStore
  before(() => {
    home = createInProcessStore()
  })
  after(() => home.remove())

  it('is an address that does not exist unless it is allowed', async () => {
    await home.start()
    for (const method of ['POST', 'GET', 'DELETE']) {
      assertProblem(await ask(`${home.url}/auth/register`, { method }), 404, 'not_found')
    }
    const { json } = await ask(home.url)
    assert.deepEqual(json['post'], ['/events', '/dead-letters/:id/replay', '/auth/login'])
    await home.stop()
  })

  it('gives the scope read, once for a name, and closes the store', async () => {
    await home.start({ ALLOW_REGISTRATION: 'true' }, clocks.seams)
    assert.equal((await ask(`${home.url}/tiers`)).status, 200)
    const register = (username: string, password = PASSWORD) => {
      clocks.pass(60_000)
      return ask(`${home.url}/auth/register`, postJson({ username, password }))
    }
    const made = await register('Bert')
    assert.equal(made.status, 201)
    assert.deepEqual(made.json, { username: 'bert', scope: 'read' })
    assert.equal((await ask(`${home.url}/tiers`)).status, 401)
    assertProblem(await register('bert', 'another good password'), 409, 'name_taken')
    const token = String((await login(home.url, 'bert')).json['token'])
    assert.equal((await ask(`${home.url}/tiers`, { headers: bearer(token) })).status, 200)
    assert.equal((await ask(`${home.url}/events`, postJson([], bearer(token)))).status, 403)

    for (const [i, password] of ['x'.repeat(PASSWORD_CHARS_MIN), '🦓'.repeat(PASSWORD_CHARS_MAX)].entries()) {
      assert.equal((await register(`edge${i}`, password)).status, 201)
      assert.equal((await login(home.url, `edge${i}`, password)).status, 200)
    }
    // Written in two ways, one password.
    assert.equal((await register('accents', 'pâté de foie gras'.normalize('NFD'))).status, 201)
    assert.equal((await login(home.url, 'accents', 'pâté de foie gras'.normalize('NFC'))).status, 200)

    const bad = [
      ['short', 'x'.repeat(PASSWORD_CHARS_MIN - 1), 'password'],
      ['short2', '🦓'.repeat(PASSWORD_CHARS_MIN - 1), 'password'],
      ['long', 'x'.repeat(PASSWORD_CHARS_MAX + 1), 'password'],
      ['', PASSWORD, 'username'],
      ['two words', PASSWORD, 'username'],
      ['-dash', PASSWORD, 'username'],
      ['аnna', PASSWORD, 'username'],
      ['n'.repeat(USER_NAME_CHARS_MAX + 1), PASSWORD, 'username'],
    ] as const
    for (const [name, password, path] of bad) {
      const answer = await register(name, password)
      assertProblem(answer, 422, 'invalid_login')
      assert.deepEqual(
        (answer.json['errors'] as { path: string }[]).map((error) => error.path),
        [path],
        name,
      )
    }
    assert.equal((await register('n'.repeat(USER_NAME_CHARS_MAX))).status, 201)
  })

  it('waits while somebody else writes, and answers when it is on disk', async () => {
    const { db, end } = holdWriteLock(home.layout.database)
    clocks.pass(60_000)
    const registering = ask(
      `${home.url}/auth/register`,
      postJson({ username: 'patient', password: PASSWORD }),
    )
    // The service still answers others meanwhile.
    for (let i = 0; i < 20; i += 1) assert.equal((await ask(`${home.url}/livez`)).status, 200)
    assert.equal(db.inTransaction, true)
    end()
    assert.equal((await registering).status, 201)
  })
})

describe('the rate limit', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  let home: InProcessStore
  before(() => {
    home = createInProcessStore()
  })
  after(() => home.remove())

  const storedEvents = () =>
    home.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get() as number)

  it('of requests lets the last one of the burst pass and refuses the next, for each key', async () => {
    await home.start({ RATE_LIMIT_RPS: '2', RATE_LIMIT_BURST: '5', RATE_LIMIT_EPS: 'off' }, clocks.seams)
    const keys = [makeKeyIn(home, 'read').key, makeKeyIn(home, 'read').key]
    const tiers = (key: string) => ask(`${home.url}/tiers`, { headers: bearer(key) })
    for (const key of keys) {
      for (let left = 4; left >= 0; left -= 1) {
        const { status, headers } = await tiers(key)
        assert.equal(status, 200)
        assert.equal(headers.get('ratelimit-policy'), '"requests";q=5;w=3')
        assert.equal(headers.get('ratelimit'), `"requests";r=${left};t=${Math.ceil((5 - left) / 2)}`)
      }
      const refused = await tiers(key)
      assertProblem(refused, 429, 'rate_limited')
      assert.equal(refused.headers.get('retry-after'), '1')
      assert.equal(refused.headers.get('ratelimit'), '"requests";r=0;t=1')
      assert.equal(refused.headers.get('ratelimit-policy'), '"requests";q=5;w=3')
    }
    clocks.setWallClock(clocks.s + 86_400)
    assert.equal((await tiers(keys[0]!)).status, 429)
    clocks.pass(499)
    assert.equal((await tiers(keys[0]!)).status, 429)
    clocks.pass(1)
    assert.equal((await tiers(keys[0]!)).status, 200)
    assert.equal((await tiers(keys[0]!)).status, 429)
    // Probes have no limit, and no field of it.
    for (let i = 0; i < 20; i += 1) {
      const { status, headers } = await ask(`${home.url}/livez`)
      assert.equal(status, 200)
      assert.equal(headers.get('ratelimit'), null)
    }
  })

  it('counts refusals too: without a key by address, with the wrong scope by key', async () => {
    clocks.pass(60_000)
    const { key } = makeKeyIn(home, 'ingest')
    const tiers = (headers: Record<string, string>) => ask(`${home.url}/tiers`, { headers })
    for (let i = 0; i < 5; i += 1) {
      assertProblem(await tiers(i % 2 === 0 ? {} : bearer('fl_x')), 401, 'unauthorized')
      const answer = await tiers(bearer(key))
      assertProblem(answer, 403, 'forbidden')
      assert.equal(answer.headers.get('ratelimit'), `"requests";r=${4 - i};t=${Math.ceil((i + 1) / 2)}`)
    }
    assertProblem(await tiers({}), 429, 'rate_limited')
    assertProblem(await tiers(bearer(key)), 429, 'rate_limited')
    // An address that guesses takes nothing from a key behind the same address.
    assert.equal((await tiers(bearer(makeKeyIn(home, 'read').key))).status, 200)
    await home.stop()
  })

  it('of events refuses a whole batch before it is stored, and none for ever', async () => {
    await home.start({ RATE_LIMIT_RPS: 'off', RATE_LIMIT_EPS: '10' }, clocks.seams)
    const { key } = makeKeyIn(home, 'ingest')
    const send = (count: number) => ask(`${home.url}/events`, postJson(batch(count), bearer(key)))
    const nine = await send(9)
    assert.equal(nine.status, 200)
    assert.equal(nine.headers.get('ratelimit-policy'), '"events";q=10;w=1;qu="events"')
    assert.equal(nine.headers.get('ratelimit'), '"events";r=1;t=1')
    const refused = await send(2)
    assertProblem(refused, 429, 'rate_limited')
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal(refused.headers.get('ratelimit'), '"events";r=0;t=1')
    assert.equal(storedEvents(), 9)
    assert.equal((await send(1)).status, 200)
    assertProblem(await send(1), 429, 'rate_limited')
    // Larger than the burst: when the bucket is full, and paid for afterwards.
    clocks.pass(999)
    assertProblem(await send(40), 429, 'rate_limited')
    clocks.pass(1)
    assert.equal((await send(40)).status, 200)
    assert.equal(storedEvents(), 50)
    const waiting = await send(1)
    assert.equal(waiting.headers.get('retry-after'), '4')
    clocks.pass(3_100)
    assert.equal((await send(1)).status, 200)
    await home.stop()
  })

  it('counts by address without keys, and believes only a proxy that is configured', async () => {
    const open = createInProcessStore()
    try {
      const limits = { RATE_LIMIT_RPS: '1', RATE_LIMIT_BURST: '1' }
      const from = (forwarded: string) =>
        ask(`${open.url}/tiers`, { headers: { 'x-forwarded-for': forwarded } })
      await open.start(limits, clocks.seams)
      assert.equal((await from('198.51.100.1')).status, 200)
      assert.equal((await from('198.51.100.2')).status, 429)
      await open.stop()
      await open.start({ ...limits, TRUSTED_PROXIES: '127.0.0.0/8' }, clocks.seams)
      assert.equal((await from('198.51.100.1')).status, 200)
      assert.equal((await from('198.51.100.2')).status, 200)
      assert.equal((await from('198.51.100.2')).status, 429)
      assert.equal((await from('203.0.113.7, 198.51.100.2')).status, 429)
    } finally {
      await open.remove()
    }
  })

  it('that is off is not told of', async () => {
    await home.start({ RATE_LIMIT_RPS: 'off', RATE_LIMIT_EPS: 'off', RATE_LIMIT_BURST: '1' }, clocks.seams)
    const { key } = makeKeyIn(home, 'admin')
    for (let i = 0; i < 5; i += 1) {
      const { status, headers } = await ask(`${home.url}/events`, postJson(batch(100), bearer(key)))
      assert.equal(status, 200)
      assert.equal(headers.get('ratelimit'), null)
      assert.equal(headers.get('ratelimit-policy'), null)
    }
  })
})

describe('the last use of a key', { timeout: HANGS_AFTER_MS }, () => {
  it('is written soon after the first use, then once a minute at most, and when the service stops', () => {
    let now_ms = 0
    const writes: [number, number][][] = []
    const timers: { act: () => void; at_ms: number }[] = []
    let busy = false
    const lastUse = createLastUse({
      write(uses) {
        if (busy) return 0
        writes.push([...uses])
        return uses.size
      },
      now_us: () => now_ms * 1_000,
      now_ms: () => now_ms,
      later(act, ms) {
        const timer = { act, at_ms: now_ms + ms }
        timers.push(timer)
        return () => timers.splice(timers.indexOf(timer), 1)
      },
    })
    const until = (end_ms: number) => {
      while (timers.length > 0 && timers[0]!.at_ms <= end_ms) {
        const { act, at_ms } = timers.shift()!
        now_ms = at_ms
        act()
      }
      now_ms = end_ms
    }
    lastUse.note(1)
    until(TRY_EVERY_MS - 1)
    assert.deepEqual(writes, [])
    until(TRY_EVERY_MS)
    assert.deepEqual(writes, [[[1, 0]]])
    for (let at_ms = 2_000; at_ms < NOTE_EVERY_MS; at_ms += 1_000) {
      until(at_ms)
      lastUse.note(1)
    }
    until(NOTE_EVERY_MS + TRY_EVERY_MS - 1)
    assert.equal(writes.length, 1)
    until(NOTE_EVERY_MS + 2 * TRY_EVERY_MS)
    assert.deepEqual(writes.slice(1), [[[1, 59_000_000]]])
    assert.deepEqual(timers, [])
    // Somebody else writes: it is tried again, and nothing is lost.
    busy = true
    until(200_000)
    lastUse.note(2)
    until(210_000)
    assert.equal(writes.length, 2)
    busy = false
    until(211_000)
    assert.deepEqual(writes.slice(2), [[[2, 200_000_000]]])
    lastUse.note(2)
    lastUse.close()
    assert.equal(writes.length, 4)
    assert.deepEqual(timers, [])
  })

  it('stands in the list after the service has stopped, and is empty for a key that only failed', async () => {
    const home = createInProcessStore()
    try {
      await home.start()
      const used = makeKeyIn(home, 'read')
      const revoked = makeKeyIn(home, 'read')
      home.inSqlite((db) => revokeKey(db, revoked.id, nowMicros()))
      for (const { key } of [used, revoked]) await ask(`${home.url}/tiers`, { headers: bearer(key) })
      await home.stop()
      const rows = home.inSqlite(listKeys)
      assert.equal(rows.find(({ id }) => id === revoked.id)!.last_used_at, null)
      const { created_at, last_used_at } = rows.find(({ id }) => id === used.id)!
      assert.ok(last_used_at !== null && last_used_at >= created_at)
    } finally {
      await home.remove()
    }
  })
})

describe('the settings', () => {
  it('take a rate or off, and nothing else', () => {
    for (const name of ['RATE_LIMIT_RPS', 'RATE_LIMIT_EPS'] as const) {
      for (const value of ['0', '-1', '1.5', 'Off', 'none', '1e3', '100000001']) {
        assert.throws(() => readConfig({ [name]: value }), new RegExp(`^ConfigError: ${name} must be`), value)
      }
      assert.equal(readConfig({ [name]: 'off' })[name], null)
      assert.equal(readConfig({ [name]: '1' })[name], 1)
    }
    assert.throws(() => readConfig({ RATE_LIMIT_BURST: '0' }), /RATE_LIMIT_BURST/)
    assert.throws(() => readConfig({ TRUSTED_PROXIES: '10.0.0.0/8,everybody' }), /TRUSTED_PROXIES/)
    assert.throws(() => readConfig({ AUTH_TOKEN_LIFETIME_S: '59' }), /AUTH_TOKEN_LIFETIME_S/)
    assert.throws(() => readConfig({ AUTH_TOKEN_LIFETIME_S: '86401' }), /AUTH_TOKEN_LIFETIME_S/)
  })
})

describe('the secret of tokens', { timeout: HANGS_AFTER_MS }, () => {
  let home: InProcessStore
  let path: string
  before(() => {
    home = createInProcessStore()
    path = join(home.layout.database, '../auth.secret')
  })
  after(() => home.remove())

  it('is made once, for its owner alone, and tokens outlive a restart', async () => {
    await home.start()
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const secret = readFileSync(path, 'utf8')
    assert.equal(Buffer.from(secret, 'base64url').length, 32)
    await addUserIn(home, 'anna', 'read')
    const headers = bearer(String((await login(home.url, 'anna')).json['token']))
    await home.stop()
    await home.start()
    assert.equal(readFileSync(path, 'utf8'), secret)
    assert.equal((await ask(`${home.url}/tiers`, { headers })).status, 200)
    await home.stop()
    rmSync(path)
    await home.start()
    assert.notEqual(readFileSync(path, 'utf8'), secret)
    assert.equal((await ask(`${home.url}/tiers`, { headers })).status, 401)
    assert.deepEqual(
      readdirSync(join(path, '..')).filter((name) => name.startsWith('auth')),
      ['auth.secret'],
    )
    await home.stop()
  })

  it('refuses the start when others could read it, or it is cut off', async () => {
    const secret = readFileSync(path, 'utf8')
    for (const mode of [0o640, 0o604, 0o644]) {
      chmodSync(path, mode)
      await assert.rejects(home.start(), /can be read by others/)
    }
    chmodSync(path, 0o600)
    writeFileSync(path, secret.slice(0, -2))
    await assert.rejects(home.start(), (error: Error) => !error.message.includes(secret.slice(0, -2)))
    writeFileSync(path, secret)
    await home.start()
    await home.stop()
  })

  it('from the configuration has at least 32 characters', async () => {
    const short = 'x'.repeat(31)
    await assert.rejects(home.start({ AUTH_JWT_SECRET: short }), (error: Error) => {
      assert.match(error.message, /AUTH_JWT_SECRET must have at least 32/)
      return !error.message.includes(short)
    })
    await home.start({ AUTH_JWT_SECRET: `${short}x` })
  })
})

describe('keys and users while the service runs', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  async function command(args: string[], input?: string) {
    const run = await store.cli(args, {}, input)
    assert.equal(run.code, 0, run.stderr)
    return run
  }
  const createKeyByCommand = async (scope: string, name = 'web') =>
    (await command(['keys', 'create', '--scope', scope, '--name', name])).stdout.trim()

  it('close an open service with the first, and hold from their commit on', async () => {
    const service = await store.serve({ LOG_LEVEL: 'trace' })
    const warnings = logOf(service).filter(({ level }) => level === 40)
    assert.equal(warnings.length, 1)
    assert.match(String(warnings[0]!['msg']), /no keys: whoever reaches this address.*frostline keys create/)

    const tiers = (headers: Record<string, string> = {}) => ask(`${service.url}/tiers`, { headers })
    assert.equal((await tiers()).status, 200)
    const key = await createKeyByCommand('read')
    assert.match(key, KEY)
    assertProblem(await tiers(), 401, 'unauthorized')
    assert.equal((await tiers(bearer(key))).status, 200)
    const other = await createKeyByCommand('ingest', 'to be ended')
    const send = () => ask(`${service.url}/events`, postJson([eventOf()], bearer(other)))
    assert.equal((await send()).status, 200)
    assertProblem(await tiers(bearer(other)), 403, 'forbidden')
    await command(['keys', 'revoke', '2'])
    assertProblem(await send(), 401, 'unauthorized')
    assert.equal((await store.cli(['keys', 'revoke', '2'])).code, 1)

    await command(['users', 'add', 'anna', '--scope', 'read'], `${PASSWORD}\n`)
    const { status, json } = await login(service.url, 'anna')
    assert.equal(status, 200)
    const token = String(json['token'])
    assert.equal((await tiers(bearer(token))).status, 200)
    assert.equal((await login(service.url, 'anna', 'not the right one')).status, 401)
    await command(['users', 'remove', 'anna'])
    assertProblem(await tiers(bearer(token)), 401, 'unauthorized')
    assert.equal((await login(service.url, 'anna')).status, 401)

    // With its last key revoked it stays closed.
    await command(['keys', 'revoke', '1'])
    assertProblem(await tiers(), 401, 'unauthorized')

    const { headers } = await ask(`${service.url}/livez`)
    await untilLogged(service, ({ request_id }) => request_id === headers.get('x-request-id'))
    const log = service.log.join('\n')
    for (const secret of [key, other, PASSWORD, token, token.split('.')[2]!, 'not the right one']) {
      assert.ok(!log.includes(secret), 'a secret stands in the log')
    }
    assert.ok(log.includes('"caller":"key/1"'))
    assert.equal(await service.stop(), 0)
    const list = (await command(['keys', 'list'])).stdout
    const { keys } = JSON.parse((await command(['keys', 'list', '--json'])).stdout) as {
      keys: Record<string, unknown>[]
    }
    assert.deepEqual(
      keys.map(({ id, name, scope }) => [id, name, scope]),
      [
        [1, 'web', 'read'],
        [2, 'to be ended', 'ingest'],
      ],
    )
    for (const { created_at, last_used_at, revoked_at } of keys) {
      for (const at of [created_at, last_used_at, revoked_at]) {
        assert.ok(!Number.isNaN(Date.parse(String(at))), `${String(at)}`)
        assert.ok(list.includes(String(at)))
      }
    }
    const kept = readdirSync(store.data_dir, { withFileTypes: true }).filter((entry) => entry.isFile())
    for (const { name } of kept) {
      const bytes = readFileSync(join(store.data_dir, name))
      for (const secret of [key, other, PASSWORD, token]) assert.ok(!bytes.includes(secret), name)
    }
  })

  it('let a closed store listen where others can reach it, without a warning', async () => {
    const service = await store.serve({ HOST: '0.0.0.0' })
    assert.deepEqual(
      logOf(service).filter(({ level }) => Number(level) > 30),
      [],
    )
    assertProblem(await ask(`${service.url.replace('0.0.0.0', '127.0.0.1')}/tiers`), 401, 'unauthorized')
    assert.equal(await service.stop(), 0)
  })

  it('stay closed whatever ALLOW_ANONYMOUS says', async () => {
    const service = await store.serve({ ALLOW_ANONYMOUS: 'true' })
    assertProblem(await ask(`${service.url}/tiers`), 401, 'unauthorized')
    assert.equal(await service.stop(), 0)
  })

  it('are made only with a scope, a name and a password that fit', async () => {
    const wrong = [
      ['keys', 'create', '--name', 'x'],
      ['keys', 'create', '--scope', 'write', '--name', 'x'],
      ['keys', 'create', '--scope', 'read', '--scope', 'admin', '--name', 'x'],
      ['keys', 'create', '--scope', 'read', '--name', 'x'.repeat(KEY_NAME_CHARS_MAX + 1)],
      ['keys', 'create', '--scope', 'read', '--name', 'a\u001b[2Jb'],
      ['keys', 'revoke', 'web'],
      ['keys'],
      ['users', 'add', 'Bert!', '--scope', 'read'],
    ]
    for (const args of wrong) {
      const run = await store.cli(args, {}, PASSWORD)
      assert.equal(run.code, 2, args.join(' '))
      assert.equal(run.stdout, '')
      assert.equal(run.stderr.trim().split('\n').length, 1, run.stderr)
    }
    await createKeyByCommand('read,ingest', 'x'.repeat(KEY_NAME_CHARS_MAX))
    const adding = (input: string) => store.cli(['users', 'add', 'bert', '--scope', 'read'], {}, input)
    for (const password of [
      '',
      '\n',
      'x'.repeat(PASSWORD_CHARS_MIN - 1),
      'x'.repeat(PASSWORD_CHARS_MAX + 1),
    ]) {
      const run = await adding(password)
      assert.equal(run.code, 1)
      assert.match(run.stderr, /12 to 128/)
    }
    assert.equal((await adding('x'.repeat(100_000))).code, 1)
    assert.equal((await adding('y'.repeat(PASSWORD_CHARS_MAX))).code, 0)
    assert.equal((await adding(PASSWORD)).code, 1)
    assert.equal((await store.cli(['users', 'remove', 'nobody'])).code, 1)
    const { stdout } = await command(['users', 'list', '--json'])
    const { users } = JSON.parse(stdout) as { users: { name: string; scope: string }[] }
    assert.deepEqual(
      users.map(({ name, scope }) => [name, scope]),
      [['bert', 'read']],
    )
    assert.ok(!stdout.includes('argon2'))
  })
})
