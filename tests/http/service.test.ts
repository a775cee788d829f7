import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import Database from 'better-sqlite3'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import { sharedStore } from '../support/shared-store.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { TestStore } from '../support/store.ts'
import { arriveInPart, eventOf, getReply } from '../support/wire.ts'
import { logOf, untilLogged } from '../support/log-lines.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Asks until the service refuses the connection. */
async function untilClosed(url: string): Promise<void> {
  for (;;) {
    const reply = await getReply(url).catch((error: NodeJS.ErrnoException) => error.code)
    if (reply === 'ECONNREFUSED') return
  }
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

describe('addresses', { timeout: HANGS_AFTER_MS }, () => {
  const service = sharedStore()

  it('that do not exist are answered with a problem', async () => {
    for (const path of [
      '/event',
      '/event/',
      '/events/1',
      '/stats',
      '/stats/',
      '/stats/DAU',
      '/favicon.ico',
    ]) {
      const response = await fetch(service.url + path)
      const problem = (await response.json()) as Record<string, unknown>
      assert.equal(response.status, 404, path)
      assert.equal(response.headers.get('content-type'), 'application/problem+json')
      assert.equal(problem['type'], '/problems/not_found')
      assert.equal(problem['status'], 404)
      assert.match(response.headers.get('x-request-id')!, UUID)
    }
  })

  it('answer another method with a problem and the methods they take', async () => {
    const addresses = {
      '/events': 'POST, GET, HEAD',
      '/stats/dau': 'GET, HEAD, POST',
      '/stats/retention': 'GET, HEAD, POST',
      '/dead-letters': 'GET, HEAD',
      '/dead-letters/1': 'GET, HEAD, DELETE',
      '/dead-letters/1/replay': 'POST',
      '/tiers': 'GET, HEAD',
      '/auth/login': 'POST',
      '/': 'GET, HEAD',
      '/livez': 'GET, HEAD',
      '/metrics': 'GET, HEAD',
      '/openapi.json': 'GET, HEAD',
      '/docs': 'GET, HEAD',
      '/readyz': 'GET, HEAD',
    }
    for (const [path, allow] of Object.entries(addresses)) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        if (allow.includes(method)) continue
        const response = await fetch(service.url + path, { method })
        const problem = (await response.json()) as Record<string, unknown>
        assert.equal(response.status, 405, `${method} ${path}`)
        assert.equal(response.headers.get('allow'), allow)
        assert.equal(response.headers.get('content-type'), 'application/problem+json')
        assert.equal(problem['type'], '/problems/method_not_allowed')
      }
    }
  })

  it('are listed at the root', async () => {
    const { status, json } = await get<{ post: string[]; get: string[] }>(service.url)
    assert.equal(status, 200)
    const posts = json.post.filter((path) => !path.startsWith('/stats/'))
    assert.deepEqual(posts, ['/events', '/dead-letters/:id/replay', '/auth/login'])
    for (const path of json.get.filter((listed) => !listed.includes(':')))
      assert.notEqual((await fetch(service.url + path)).status, 404, path)
    assert.ok(json.get.includes('/stats/dau'))
  })

  it('tell that the service lives and is ready', async () => {
    assert.deepEqual(await get(`${service.url}/livez`), { status: 200, json: { status: 'alive' } })
    assert.deepEqual(await get(`${service.url}/readyz`), { status: 200, json: { status: 'ready' } })
    const head = await fetch(`${service.url}/readyz`, { method: 'HEAD' })
    assert.equal(head.status, 200)
    assert.equal(await head.text(), '')
  })

  it('are logged as templates, one JSON line a request, without anything that the client sent', async () => {
    const secret = 'hush-31415'
    const events = [
      eventOf({ user_id: secret, properties: { [secret]: secret } }),
      eventOf({ user_id: secret }),
      eventOf({ occurred_at: secret }),
    ]
    const [method, path] = ['GET', `/stats/dau?from=2025-08-01&to=2025-08-02&properties.${secret}=${secret}`]
    const requests = [
      {
        method: 'POST',
        path: '/events',
        body: JSON.stringify(events),
        route: '/events',
        status: 200,
        events: 3,
      },
      { method: 'POST', path: `/events?strict=${secret}`, body: '[]', route: '/events', status: 400 },
      { method: 'POST', path: '/events', body: secret, route: '/events', status: 400 },
      { method, path, route: '/stats/dau', status: 200 },
      { method, path: `${path}&from=${secret}`, route: '/stats/dau', status: 400 },
      { method: 'DELETE', path: `/tiers?${secret}`, route: '/tiers', status: 405 },
      { method, path: '/livez', route: '/livez', status: 200 },
      { method, path: `/${secret}/${secret}?${secret}`, route: '/*', status: 404 },
    ]
    const ids = new Set<string>()
    for (const { path: target, body, ...expected } of requests) {
      const response = await fetch(service.url + target, {
        method: expected.method,
        ...(body === undefined ? {} : { headers: JSON_TYPE, body }),
      })
      await response.arrayBuffer()
      const id = response.headers.get('x-request-id')!
      assert.match(id, UUID)
      ids.add(id)
      const line = await untilLogged(service, ({ request_id }) => request_id === id)
      const { time, ms, ...rest } = line
      assert.ok(!Number.isNaN(new Date(Number(time)).getTime()))
      assert.equal(typeof ms, 'number')
      assert.deepEqual(rest, { level: 30, pid: process.pid, request_id: id, msg: 'request', ...expected })
    }
    assert.equal(ids.size, requests.length)
    assert.ok(!service.log.some((line) => line.includes(secret)))
    assert.ok(!service.log.some((line) => line.includes('from=')))
  })
})

describe('shutdown', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  it('answers what has begun, takes nothing new, and exits with 0', async () => {
    const service = await store.serve()
    await post(`${service.url}/events`, [eventOf({ user_id: 'before' })])
    const posting = await arriveInPart(service, JSON.stringify([eventOf({ user_id: 'during' })]))
    const exit = service.stop()
    await untilLogged(service, ({ msg }) => msg === 'stopping')
    await untilClosed(`${service.url}/livez`)
    posting.finish()
    const reply = await posting.reply
    assert.equal(reply.status, 200, reply.text)
    assert.equal(await exit, 0)
    assert.equal(logOf(service).at(-1)!['msg'], 'stopped')
  })

  it('by Ctrl-C leaves one database file with everything in it, and nothing spilled', async () => {
    const spilled = join(store.data_dir, 'spill', `${2 ** 22 + 1}-left-by-a-dead-process`)
    mkdirSync(spilled, { recursive: true })
    const service = await store.serve()
    assert.equal(existsSync(spilled), false)
    const { json } = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=2025-08-01&to=2025-08-01`,
    )
    assert.equal(json.data[0]!.dau, 2)
    service.child.kill('SIGINT')
    assert.deepEqual(await once(service.child, 'exit'), [0, null])
    assert.deepEqual(
      readdirSync(store.data_dir).filter((name) => name.startsWith('frostline.db')),
      ['frostline.db'],
    )
    assert.deepEqual(readdirSync(join(store.data_dir, 'spill')), [])
  })
})

describe('a short shutdown', { timeout: HANGS_AFTER_MS }, () => {
  const service = serveStore({ SHUTDOWN_TIMEOUT_MS: '200' })

  it('does not wait longer than its limit for a client that never finishes', async () => {
    const posting = await arriveInPart(service, JSON.stringify([eventOf()]))
    const left = assert.rejects(posting.reply)
    await service.stop()
    await left
    assert.ok(logOf(service).some(({ level, limit_ms }) => level === 40 && limit_ms === 200))
  })
})

/** The lines of stderr behind the one that names the store. */
const withoutStore = (stderr: string) => linesOf(stderr).filter((line) => !line.startsWith('store: '))

describe('a start is refused', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  it('with exit 2 when other machines could reach it and nobody said that they may', async (t) => {
    const run = await store.cli(['serve'], { HOST: '0.0.0.0' })
    assert.equal(run.code, 2)
    assert.equal(withoutStore(run.stderr).length, 1, run.stderr)
    assert.match(run.stderr, /HOST=.*ALLOW_ANONYMOUS=true/)

    const home = createInProcessStore()
    t.after(() => home.remove())
    for (const HOST of ['::', '192.0.2.1', 'frostline.example'])
      await assert.rejects(home.startUnready({ HOST }), /HOST=.*ALLOW_ANONYMOUS=true/, HOST)
    await home.start({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' })
  })

  it('with exit 2 and every mistake in the configuration at once', async () => {
    const run = await store.cli(['serve'], {
      PORT: '65536',
      HOT_DAYS: '-1',
      LOG_LEVEL: 'loud',
      COMPACT_CRON: 'whenever',
      QUERIES_RUNNING_MAX: '4',
      QUERY_TIMEOUT_MS: '1e3',
      ALLOW_ANONYMOUS: 'yes',
    })
    assert.equal(run.code, 2)
    assert.equal(run.stdout, '')
    assert.deepEqual(
      linesOf(run.stderr)
        .map((line) => line.split(' ')[0])
        .toSorted(),
      [
        'ALLOW_ANONYMOUS',
        'COMPACT_CRON',
        'HOT_DAYS',
        'LOG_LEVEL',
        'PORT',
        'QUERIES_RUNNING_MAX',
        'QUERY_TIMEOUT_MS',
      ],
    )
  })

  it('with exit 1 when a newer program wrote the store, and the store is left alone', async () => {
    const path = join(store.data_dir, 'frostline.db')
    mkdirSync(store.data_dir, { recursive: true })
    const db = new Database(path)
    const known = db.pragma('user_version', { simple: true }) as number
    db.pragma('journal_mode = DELETE')
    db.pragma(`user_version = ${known + 41}`)
    db.close()
    const bytes = readFileSync(path)
    for (const command of [['serve'], ['compact'], ['tiers']]) {
      const run = await store.cli(command)
      assert.equal(run.code, 1, command[0])
      assert.equal(withoutStore(run.stderr).length, 1, run.stderr)
      assert.match(run.stderr, new RegExp(`schema version ${known + 41}.*newer program`))
    }
    assert.ok(readFileSync(path).equals(bytes))
  })
})
