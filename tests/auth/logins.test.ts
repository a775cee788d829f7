import Database from 'better-sqlite3'
import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseOptions } from '@node-rs/argon2'
import { LOGIN_BODY_BYTES_MAX } from '../../src/http/handlers/logins.ts'
import {
  ARGON2_LANES,
  ARGON2_MEMORY_KIB,
  ARGON2_PASSES,
  DECOY_HASH,
  hashPassword,
  PASSWORD_CHARS_MAX,
  PASSWORD_CHARS_MIN,
} from '../../src/auth/password.ts'
import { USER_NAME_CHARS_MAX } from '../../src/auth/users.ts'
import { readConfig } from '../../src/config.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import {
  JSON_TYPE,
  PASSWORD,
  ask,
  bearer,
  postJson,
  assertProblem,
  createClocks,
  addUserIn,
  login,
} from '../support/auth.ts'

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

describe('logging in', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  const home = serveStore({ TRUSTED_PROXIES: '127.0.0.1', ALLOW_REGISTRATION: 'true' }, clocks.seams)
  before(async () => {
    await addUserIn(home, 'anna', 'read')
  })

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
  const home = createInProcessStore()
  after(() => home.remove())

  it('is an address that does not exist unless it is allowed', async () => {
    await home.start()
    for (const method of ['POST', 'GET', 'DELETE']) {
      assertProblem(await ask(`${home.url}/auth/register`, { method }), 404, 'not_found')
    }
    const { json } = await ask(home.url)
    const posts = (json['post'] as string[]).filter((path) => !path.startsWith('/stats/'))
    assert.deepEqual(posts, ['/events', '/dead-letters/:id/replay', '/auth/login'])
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

describe('the secret of tokens', { timeout: HANGS_AFTER_MS }, () => {
  const home = createInProcessStore()
  let path: string
  before(() => {
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
      await assert.rejects(home.start(), /is readable by other users/)
    }
    chmodSync(path, 0o600)
    writeFileSync(path, secret.slice(0, -2))
    await assert.rejects(home.start(), (error: Error) => !error.message.includes(secret.slice(0, -2)))
  })

  it('from the configuration has at least 32 characters', () => {
    const short = 'x'.repeat(31)
    assert.throws(
      () => readConfig({ AUTH_JWT_SECRET: short }),
      (error: Error) => {
        assert.match(error.message, /AUTH_JWT_SECRET must have at least 32/)
        return !error.message.includes(short)
      },
    )
    readConfig({ AUTH_JWT_SECRET: `${short}x` })
  })
})
