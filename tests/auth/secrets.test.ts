import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openSecret } from '../../src/auth/secret.ts'
import { LOGIN_BODY_BYTES_MAX } from '../../src/http/handlers/logins.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { filesBelow } from '../support/in-process.ts'
import { createTestStore } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { untilLogged } from '../support/log-lines.ts'

const PASSWORD = 'correct horse battery staple'
/** Sent where a secret is expected, and not the right one: a mistyped password is nearly the right one. */
const MARKER = 'Zebra-7f3a91-zebra'
const JSON_TYPE = { 'content-type': 'application/json' }

describe('what opens the store', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  let service: ServiceProcess
  let key: string
  before(async () => {
    store = createTestStore()
    service = await store.serve({ LOG_LEVEL: 'trace', ALLOW_REGISTRATION: 'true' })
    key = (await store.cli(['keys', 'create', '--scope', 'admin', '--name', 'web'])).stdout.trim()
  })
  after(() => store.remove())

  const ask = (path: string, init: RequestInit = {}) => fetch(service.url + path, init)
  const postText = (path: string, body: string, headers: Record<string, string> = JSON_TYPE) =>
    ask(path, { method: 'POST', body, headers })

  it('stands in no log line, at no level, in no other reply and in no file, however it was sent', async () => {
    const login = JSON.stringify({ username: 'anna', password: PASSWORD })
    assert.equal((await postText('/auth/register', login)).status, 201)
    const { token } = (await (await postText('/auth/login', login)).json()) as { token: string }
    const secrets = [key, PASSWORD, token, token.split('.')[2]!, MARKER]

    const event = JSON.stringify([eventOf()])
    const wrong = JSON.stringify({ username: 'anna', password: MARKER })
    const replies = await Promise.all([
      ask('/tiers', { headers: { authorization: `Bearer ${key}` } }),
      ask('/tiers', { headers: { 'x-api-key': key } }),
      ask('/tiers', { headers: { authorization: `Bearer ${token}` } }),
      ask('/tiers', { headers: { 'x-api-key': key, authorization: `Bearer ${token}` } }),
      ask('/tiers', { headers: { 'x-api-key': MARKER } }),
      ask('/tiers', { headers: { authorization: `Bearer ${MARKER}` } }),
      ask('/tiers', { headers: { authorization: `Basic ${MARKER}` } }),
      ask('/tiers', { headers: { authorization: `Bearer ${key}x`, cookie: `session=${MARKER}` } }),
      ask(`/tiers?key=${key}&token=${token}&password=${MARKER}`),
      ask(`/${key}/${MARKER}`),
      postText('/events', event, { ...JSON_TYPE, 'x-api-key': key }),
      postText('/events', `{"${key}"`, { ...JSON_TYPE, 'x-api-key': key }),
      postText('/events', event, { ...JSON_TYPE, authorization: `Bearer ${token}` }),
      postText('/auth/login', wrong),
      postText('/auth/login', wrong.slice(0, -1)),
      postText('/auth/login', wrong, { 'content-type': 'text/plain' }),
      postText('/auth/login', wrong.replace('"password"', `"${MARKER}":1,"password"`)),
      postText('/auth/login', JSON.stringify({ username: MARKER, password: [MARKER] })),
      postText('/auth/login', wrong.padEnd(LOGIN_BODY_BYTES_MAX + 1)),
      postText('/auth/register', wrong),
      postText('/auth/register', login.replace('anna', MARKER)),
      postText('/auth/register', JSON.stringify({ username: `${MARKER}!`, password: 'Zebra-7f3a9' })),
    ])
    assert.ok(replies.some(({ status }) => status === 200) && replies.some(({ status }) => status === 401))
    for (const reply of replies) {
      const told = `${await reply.text()} ${JSON.stringify([...reply.headers])}`
      const shown = secrets.filter((secret) => told.toLowerCase().includes(secret.toLowerCase()))
      // Whoever registers is told the name.
      if (reply.status !== 201) assert.deepEqual(shown, [], `${reply.status} ${told}`)
    }

    const { headers } = await ask('/livez')
    await untilLogged(service, ({ request_id }) => request_id === headers.get('x-request-id'))
    const log = service.log.join('\n')
    assert.ok(log.includes('"caller":"key/1"') && log.includes('"caller":"user/1"'), log)
    for (const secret of secrets) assert.ok(!log.includes(secret), 'a secret stands in the log')

    const assertInNoFile = () => {
      const names = filesBelow(store.data_dir)
      assert.ok(names.includes('frostline.db'))
      for (const name of names) {
        const bytes = readFileSync(join(store.data_dir, name))
        for (const secret of secrets) assert.ok(!bytes.includes(secret), name)
      }
    }
    assert.ok(
      readdirSync(store.data_dir).includes('frostline.db-wal'),
      'the log of SQLite is looked into too',
    )
    assertInNoFile()
    assert.equal(await service.stop(), 0)
    assertInNoFile()
  })
})

describe('the secret that signs tokens', () => {
  it('is durable before it is used: its folder is synced, once', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'frostline-'))
    t.after(() => rmSync(dir, { recursive: true }))
    const synced: string[][] = []
    const disk = { sync: (path: string) => synced.push([path, ...readdirSync(path)]) }
    const secret = openSecret(dir, '', disk)
    assert.deepEqual(synced, [[dir, 'auth.secret']])
    assert.deepEqual(openSecret(dir, '', disk), secret)
    assert.equal(synced.length, 1)
  })
})
