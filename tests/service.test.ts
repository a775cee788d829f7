import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import Database from 'better-sqlite3'
import { createTestStore, get, post } from './store.ts'
import type { ServiceProcess, TestStore } from './store.ts'
import { begin, eventOf, getReply, logOf, slowSegments, untilLogged } from './wire.ts'
import type { Reply } from './wire.ts'

/** What never happens is waited for in vain; better to fail than to hang. */
const HANGS_AFTER_MS = 600_000
const JSON_TYPE = { 'content-type': 'application/json' }
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const typeOf = (reply: Reply) => (JSON.parse(reply.text) as { type: string }).type

/** A request that has surely reached the service: it was sent, and the service has answered another that was sent later. */
async function arrive(service: ServiceProcess, path: string, method = 'GET') {
  const begun = begin(service.url + path, method)
  // A test that lets the client leave does not wait for the reply.
  begun.reply.catch(() => {})
  await new Promise<void>((resolve) => {
    begun.request.end(resolve)
  })
  await get(`${service.url}/livez`)
  return begun
}

/** A request to store events of which only a part of the body has reached the service. */
async function arriveInPart(service: ServiceProcess, body: string, headers: Record<string, string> = {}) {
  const begun = begin(`${service.url}/events`, 'POST', { ...JSON_TYPE, ...headers })
  begun.reply.catch(() => {})
  const half = Math.floor(body.length / 2)
  await new Promise<void>((resolve) => {
    begun.request.write(body.slice(0, half), () => resolve())
  })
  await get(`${service.url}/livez`)
  return { ...begun, finish: () => begun.request.end(body.slice(half)) }
}

/** Asks until the service refuses the connection. */
async function untilClosed(url: string): Promise<void> {
  for (;;) {
    const reply = await getReply(url).catch((error: NodeJS.ErrnoException) => error.code)
    if (reply === 'ECONNREFUSED') return
  }
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

/** One event, and spaces up to the size. */
const bodyOf = (bytes: number) => JSON.stringify([eventOf()]).padEnd(bytes)

const batchOf = (count: number) => JSON.stringify(Array.from({ length: count }, () => eventOf()))

function assertQueueFull(reply: Reply) {
  assert.equal(reply.status, 503, reply.text)
  assert.equal(typeOf(reply), '/problems/queue_full')
  assert.equal(reply.headers['retry-after'], '1')
  assert.equal(reply.headers['content-type'], 'application/problem+json')
}

describe('addresses', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  let service: ServiceProcess
  before(async () => {
    store = createTestStore()
    service = await store.serve()
  })
  after(() => store.remove())

  it('that do not exist are answered with a problem', async () => {
    for (const path of ['//', '/event', '/events/1', '/stats', '/stats/', '/stats/DAU', '/favicon.ico']) {
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
      '/events': 'GET, HEAD, POST',
      '/stats/dau': 'GET, HEAD',
      '/stats/top-events': 'GET, HEAD',
      '/stats/retention': 'GET, HEAD',
      '/dead-letters': 'GET, HEAD',
      '/dead-letters/1': 'GET, HEAD, DELETE',
      '/dead-letters/1/replay': 'POST',
      '/tiers': 'GET, HEAD',
      '/auth/login': 'POST',
      '/': 'GET, HEAD',
      '/livez': 'GET, HEAD',
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
    assert.deepEqual(json.post, ['/events', '/dead-letters/:id/replay', '/auth/login'])
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
      assert.ok(!Number.isNaN(Date.parse(String(time))))
      assert.equal(typeof ms, 'number')
      assert.deepEqual(rest, { level: 30, pid: service.pid, request_id: id, msg: 'request', ...expected })
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

    const again = await store.serve()
    const { json } = await get<{ data: { dau: number }[] }>(
      `${again.url}/stats/dau?from=2025-08-01&to=2025-08-01`,
    )
    assert.equal(json.data[0]!.dau, 2)
    again.child.kill('SIGINT')
    assert.deepEqual(await once(again.child, 'exit'), [0, null])
  })

  it('leaves one database file with everything in it, and nothing spilled', async () => {
    const spilled = join(store.data_dir, 'spill', `${2 ** 22 + 1}-left-by-a-dead-process`)
    mkdirSync(spilled, { recursive: true })
    const service = await store.serve()
    assert.equal(existsSync(spilled), false)
    await post(`${service.url}/events`, [eventOf()])
    await get(`${service.url}/stats/dau?from=2025-08-01&to=2025-08-01`)
    assert.equal(await service.stop(), 0)
    assert.deepEqual(
      readdirSync(store.data_dir).filter((name) => name.startsWith('frostline.db')),
      ['frostline.db'],
    )
    assert.deepEqual(readdirSync(join(store.data_dir, 'spill')), [])
  })

  it('does not wait longer than its limit for a client that never finishes', async () => {
    const service = await store.serve({ SHUTDOWN_TIMEOUT_MS: '200' })
    const posting = await arriveInPart(service, JSON.stringify([eventOf()]))
    assert.equal(await service.stop(), 0)
    await assert.rejects(posting.reply)
    assert.ok(logOf(service).some(({ level, limit_ms }) => level === 40 && limit_ms === 200))
  })
})

describe('a start is refused', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  it('with exit 2 and one line when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const run = await store.cli(['serve'], { PORT: String(port) })
    other.close()
    assert.equal(run.code, 2)
    assert.equal(linesOf(run.stderr).length, 1, run.stderr)
    assert.match(run.stderr, new RegExp(`Port ${port} is taken`))
    assert.equal(run.stdout, '')
  })

  it('with exit 2 when other machines could reach it and nobody said that they may', async () => {
    for (const HOST of ['0.0.0.0', '::', '192.0.2.1', 'frostline.example']) {
      const run = await store.cli(['serve'], { HOST })
      assert.equal(run.code, 2, HOST)
      assert.equal(linesOf(run.stderr).length, 1, run.stderr)
      assert.match(run.stderr, /HOST=.*ALLOW_ANONYMOUS=true/)
    }
    const service = await store.serve({ HOST: '0.0.0.0', ALLOW_ANONYMOUS: 'true' })
    assert.equal(await service.stop(), 0)
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
      DATA_DIR: 'day=2025-01-01',
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
        'DATA_DIR',
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
      assert.equal(linesOf(run.stderr).length, 1, run.stderr)
      assert.match(run.stderr, new RegExp(`schema version ${known + 41}.*newer program`))
    }
    assert.ok(readFileSync(path).equals(bytes))
  })
})

describe('a full queue', { timeout: HANGS_AFTER_MS }, () => {
  const BODY_BYTES_MAX = 3_000
  const BODIES_IN_FLIGHT_BYTES_MAX = 4_000
  let store: TestStore
  let service: ServiceProcess
  before(async () => {
    store = createTestStore()
    service = await store.serve({
      WRITE_QUEUE_EVENTS_MAX: '10',
      BODY_BYTES_MAX: String(BODY_BYTES_MAX),
      BODIES_IN_FLIGHT_BYTES_MAX: String(BODIES_IN_FLIGHT_BYTES_MAX),
    })
  })
  after(() => store.remove())

  const send = async (body: string) => {
    const begun = begin(`${service.url}/events`, 'POST', {
      ...JSON_TYPE,
      'content-length': String(Buffer.byteLength(body)),
    })
    await new Promise<void>((resolve) => {
      begun.request.end(body, resolve)
    })
    // The body is read in a later turn of the service than the head.
    for (let turn = 0; turn < 3; turn += 1) await get(`${service.url}/livez`)
    return begun
  }
  it('of events refuses the next one, and takes it when there is room again', async () => {
    // While another process writes, the service's writer waits.
    const db = new Database(join(store.data_dir, 'frostline.db'))
    db.exec('BEGIN IMMEDIATE')
    const one = batchOf(1)
    let nine: Awaited<ReturnType<typeof send>>
    let tenth: Awaited<ReturnType<typeof send>>
    try {
      nine = await send(batchOf(9))
      tenth = await send(batchOf(1))
      assertQueueFull(await (await send(one)).reply)
      assertQueueFull(await (await send(batchOf(2))).reply)
    } finally {
      db.exec('ROLLBACK')
    }
    assert.equal((await nine.reply).status, 200)
    assert.equal((await tenth.reply).status, 200)
    const { reply } = await send(one)
    assert.equal((JSON.parse((await reply).text) as { accepted: number }).accepted, 1)

    // A batch larger than the queue is taken when nothing waits: it could never be sent otherwise.
    db.exec('BEGIN IMMEDIATE')
    let large: Awaited<ReturnType<typeof send>>
    try {
      large = await send(batchOf(15))
      assertQueueFull(await (await send(batchOf(1))).reply)
    } finally {
      db.exec('ROLLBACK')
      db.close()
    }
    assert.equal((await large.reply).status, 200)
  })

  for (const [length, headers] of [
    ['announced', { 'content-length': '2600' }],
    ['unknown', {}],
  ] as const) {
    it(`of bytes counts what has come of a body of ${length} length, and has room again when that is done`, async () => {
      // Half of it.
      const rest = BODIES_IN_FLIGHT_BYTES_MAX - 1_300
      const held = await arriveInPart(service, bodyOf(2_600), headers)
      assertQueueFull(await (await send(bodyOf(rest + 1))).reply)
      assert.equal((await (await send(bodyOf(rest))).reply).status, 200)
      held.finish()
      assert.equal((await held.reply).status, 200)
      assert.equal((await (await send(bodyOf(rest + 1))).reply).status, 200)
    })
  }

  it('of bytes has room again when a client leaves within its body', async () => {
    for (const headers of [{ 'content-length': '2600' }, {}]) {
      const held = await arriveInPart(service, bodyOf(2_600), headers)
      assertQueueFull(await (await send(bodyOf(2_800))).reply)
      const left = logOf(service).filter(({ status }) => status === 499).length
      held.request.destroy()
      await untilLogged(
        service,
        () => logOf(service).filter(({ status }) => status === 499).length === left + 1,
      )
      assert.equal((await (await send(bodyOf(2_800))).reply).status, 200)
    }
    // Of level 40 is what a start without keys says.
    assert.ok(logOf(service).every(({ level, msg }) => level === 30 || String(msg).startsWith('no keys')))
  })
})

describe('slow questions', { timeout: HANGS_AFTER_MS }, () => {
  const day = 'from=2025-08-01&to=2025-08-01'
  const QUICK = `/stats/dau?from=2025-09-01&to=2025-09-01`
  /** Seconds of work: every event's properties are searched again and again. */
  const SLOW = `/stats/dau?${day}${slowSegments(8)}`
  const SLOWER = `/stats/dau?${day}${slowSegments(16)}`
  let store: TestStore
  before(async () => {
    store = createTestStore()
    const service = await store.serve()
    const pad = Array.from({ length: 300 }, (_, i) => i)
    const events = Array.from({ length: 20_000 }, (_, i) =>
      eventOf({ user_id: i, properties: { pad, k: 'v' } }),
    )
    const { status } = await post(`${service.url}/events`, events)
    assert.equal(status, 200)
    assert.equal(await service.stop(), 0)
  })
  after(() => store.remove())

  it('end at the time limit with 503, and the service answers the next', async () => {
    const service = await store.serve({
      QUERY_TIMEOUT_MS: '1000',
      QUERY_THREADS: '1',
      QUERIES_RUNNING_MAX: '1',
    })
    const reply = await getReply(service.url + SLOWER)
    assert.equal(reply.status, 503, reply.text)
    assert.equal(typeOf(reply), '/problems/query_timeout')
    assert.equal(reply.headers['retry-after'], '5')
    assert.equal((await get(service.url + QUICK)).status, 200)
    assert.equal(await service.stop(), 0)
  })

  it('wait in a bounded line, and make room at once when their client leaves', async () => {
    const service = await store.serve({
      QUERY_TIMEOUT_MS: '600000',
      QUERY_THREADS: '1',
      QUERIES_RUNNING_MAX: '2',
      QUERIES_WAITING_MAX: '1',
    })
    const slow = await arrive(service, SLOW)
    let slow_answered = false
    const answered = slow.reply.then((reply) => {
      slow_answered = true
      return reply
    })
    const slower = await arrive(service, SLOWER)
    const waiting = await arrive(service, QUICK)

    const refused = await Promise.all(Array.from({ length: 20 }, () => getReply(service.url + QUICK)))
    for (const reply of refused) {
      assert.equal(reply.status, 503, reply.text)
      assert.equal(typeOf(reply), '/problems/query_line_full')
      assert.equal(reply.headers['retry-after'], '1')
    }
    assert.equal((await get(`${service.url}/livez`)).status, 200)

    waiting.request.destroy()
    await untilLogged(service, ({ status }) => status === 499)
    const next = await arrive(service, QUICK)
    slower.request.destroy()
    assert.equal((await next.reply).status, 200)
    // Had the slower question run on, this one would have ended first and made the room.
    assert.equal(slow_answered, false)
    assert.equal((await answered).status, 200)
    assert.equal(logOf(service).filter(({ status }) => status === 499).length, 2)
    assert.equal(await service.stop(), 0)
  })

  it('that run when the service stops are answered', async () => {
    const service = await store.serve({ QUERY_TIMEOUT_MS: '600000' })
    const slow = await arrive(service, `/stats/dau?${day}${slowSegments(2)}`)
    assert.equal(await service.stop(), 0)
    const reply = await slow.reply
    assert.equal(reply.status, 200, reply.text)
    assert.equal((JSON.parse(reply.text) as { data: { dau: number }[] }).data[0]!.dau, 20_000)
  })

  it('are refused at once where none may wait', async () => {
    const service = await store.serve({ QUERIES_RUNNING_MAX: '1', QUERIES_WAITING_MAX: '0' })
    const slow = await arrive(service, SLOWER)
    const replies = await Promise.all(Array.from({ length: 50 }, () => getReply(service.url + SLOW)))
    assert.deepEqual(
      replies.map((reply) => [reply.status, typeOf(reply), reply.headers['retry-after']]),
      replies.map(() => [503, '/problems/query_line_full', '1']),
    )
    slow.request.destroy()
    assert.equal(await service.stop(), 0)
  })
})
