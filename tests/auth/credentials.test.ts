import assert from 'node:assert/strict'
import { createHmac, randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { removeUser } from '../../src/auth/users.ts'
import {
  addUserIn,
  ask,
  assertProblem,
  bearer,
  createClocks,
  KEY,
  login,
  makeKeyIn,
  postJson,
} from '../support/auth.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'

const JWT_SECRET = 'a secret of thirty-two letters..'

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signs what the service itself would never sign. */
function forge(header: object, payload: object, secret = JWT_SECRET): string {
  const text = `${encoded(header)}.${encoded(payload)}`
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
}

describe('a credential', { timeout: HANGS_AFTER_MS }, () => {
  const clocks = createClocks()
  const home = serveStore({ AUTH_JWT_SECRET: JWT_SECRET, AUTH_TOKEN_LIFETIME_S: '900' }, clocks.seams)

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
