import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { KEY_NAME_CHARS_MAX, listKeys, revokeKey } from '../../src/auth/keys.ts'
import { createLastUse, NOTE_EVERY_MS, TRY_EVERY_MS } from '../../src/auth/last-use.ts'
import { PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN } from '../../src/auth/password.ts'
import { readConfig } from '../../src/config.ts'
import { nowMicros } from '../../src/event/time.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { createTestStore } from '../support/store.ts'
import type { TestStore } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'
import { logOf, untilLogged } from '../support/log-lines.ts'
import { PASSWORD, KEY, ask, bearer, postJson, assertProblem, makeKeyIn, login } from '../support/auth.ts'

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
    assert.match(
      String(warnings[0]!['msg']),
      /no keys: every request to this address is accepted.*frostline keys create/,
    )

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
    const { data: keys } = JSON.parse((await command(['keys', 'list', '--json'])).stdout) as {
      data: Record<string, unknown>[]
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

  it('let a closed store listen where others can reach it, without a warning, whatever ALLOW_ANONYMOUS says', async (t) => {
    const service = createInProcessStore()
    t.after(() => service.remove())
    const DATA_DIR = store.data_dir
    for (const env of [{ HOST: '0.0.0.0' }, { ALLOW_ANONYMOUS: 'true' }]) {
      await service.start({ DATA_DIR, ...env })
      assert.deepEqual(
        logOf(service).filter(({ level }) => Number(level) > 30),
        [],
      )
      assertProblem(await ask(`${service.url.replace('0.0.0.0', '127.0.0.1')}/tiers`), 401, 'unauthorized')
    }
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
      assert.match(run.stderr, /^Usage: frostline (keys|users) /m)
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
    const { data: users } = JSON.parse(stdout) as { data: { name: string; scope: string }[] }
    assert.deepEqual(
      users.map(({ name, scope }) => [name, scope]),
      [['bert', 'read']],
    )
    assert.ok(!stdout.includes('argon2'))
  })
})
