import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { describe, it } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { begin, eventOf, getReply } from '../support/wire.ts'

const URL_BYTES_MAX = 1_024
const HEADERS_BYTES_MAX = 4_096
const HALF_OPEN = howMany('half_open_connections')
const BODY_BYTES_MAX = howMany('bytes_of_the_largest_body')
const ORIGIN = 'https://app.example.com'

interface Raw {
  status: number
  headers: Record<string, string>
  body: Record<string, unknown>
}

/** What comes back over a connection that the service closes. */
async function readRaw(socket: Socket): Promise<Raw> {
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (part: string) => {
    text += part
  })
  await once(socket, 'close')
  const [head, body] = text.split('\r\n\r\n') as [string, string]
  const [line, ...lines] = head.split('\r\n')
  return {
    status: Number(line!.split(' ')[1]),
    headers: Object.fromEntries(
      lines.map((l) => [l.split(': ')[0]!.toLowerCase(), l.slice(l.indexOf(': ') + 2)]),
    ),
    body: JSON.parse(body) as Record<string, unknown>,
  }
}

async function open(url: string): Promise<Socket> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  // A reset is one of the ways in which the service may hang up.
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function exchange(url: string, request: string): Promise<Raw> {
  const socket = await open(url)
  socket.write(request)
  return readRaw(socket)
}

function assertSecure(headers: Record<string, unknown>, what: string): void {
  assert.equal(headers['x-content-type-options'], 'nosniff', what)
  assert.equal(headers['referrer-policy'], 'no-referrer', what)
  assert.equal(headers['cross-origin-resource-policy'], 'same-origin', what)
  assert.match(
    String(headers['content-security-policy']),
    /^default-src 'none'; frame-ancestors 'none'/,
    what,
  )
  assert.equal(headers['cache-control'], 'no-store', what)
}

function assertProblem(reply: Raw, status: number, code: string): void {
  assert.equal(reply.status, status)
  assert.equal(reply.headers['content-type'], 'application/problem+json')
  assert.equal(reply.body['type'], `/problems/${code}`)
  assert.equal(reply.body['status'], status)
  assert.equal(reply.headers['connection'], 'close')
  assertSecure(reply.headers, code)
}

const addressOf = (bytes: number) => '/livez?'.padEnd(bytes, 'x')

// The parser counts names, values and the address, and not the characters between them.
const headOf = (bytes: number) => {
  const names = ['Host', 'Connection', 'X']
  const fixed = '/livez'.length + names.join('').length + 'h'.length + 'close'.length
  return `GET /livez HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: ${'x'.repeat(bytes - fixed)}\r\n\r\n`
}

async function ask(store: InProcessStore, method: string, origin: string, more: Record<string, string> = {}) {
  const { request, reply } = begin(`${store.url}/events`, method, { origin, ...more })
  request.end()
  return reply
}

describe('the edge', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({
    URL_BYTES_MAX: String(URL_BYTES_MAX),
    HEADERS_BYTES_MAX: String(HEADERS_BYTES_MAX),
    ALLOWED_HOSTS: 'h',
  })

  it('secures every reply', async () => {
    const asked: [string, string, Record<string, string>][] = [
      ['GET', '/', {}],
      ['GET', '/livez', {}],
      ['GET', '/stats/dau?from=2025-08-01&to=2025-08-01', {}],
      ['GET', '/stats/dau?from=2025-08-01&to=2025-08-01&format=csv', {}],
      ['GET', '/stats/dau', {}],
      ['GET', '/nowhere', {}],
      ['DELETE', '/tiers', {}],
      ['HEAD', '/livez', {}],
      ['OPTIONS', '/events', { origin: ORIGIN, 'access-control-request-method': 'POST' }],
      ['POST', '/events', {}],
    ]
    for (const [method, path, headers] of asked) {
      const { request, reply } = begin(store.url + path, method, headers)
      request.end()
      assertSecure((await reply).headers, `${method} ${path}`)
    }
  })

  it('takes an address as long as the limit and not one byte longer', async () => {
    assert.equal((await getReply(store.url + addressOf(URL_BYTES_MAX - 1))).status, 200)
    assert.equal((await getReply(store.url + addressOf(URL_BYTES_MAX))).status, 200)
    const over = await getReply(store.url + addressOf(URL_BYTES_MAX + 1))
    assert.equal(over.status, 414)
    assert.equal((JSON.parse(over.text) as { type: string }).type, '/problems/url_too_long')
    assertSecure(over.headers, '414')
  })

  it('takes a head as long as the limit, and answers 431 to a longer one', async () => {
    assert.equal((await exchange(store.url, headOf(HEADERS_BYTES_MAX - 1))).status, 200)
    assertProblem(await exchange(store.url, headOf(HEADERS_BYTES_MAX)), 431, 'headers_too_large')
    assertProblem(await exchange(store.url, headOf(HEADERS_BYTES_MAX * 10)), 431, 'headers_too_large')
  })

  it('answers 400 to what is not HTTP, without repeating it', async () => {
    const marker = 'Zebra-7f3a91'
    for (const request of [
      `${marker}\r\n\r\n`,
      `GET /livez HTTP/1.1\r\n${marker}\r\n\r\n`,
      `GET /livez HTTP/9.9\r\nHost: ${marker}\r\n\r\n`,
      `POST /events HTTP/1.1\r\nHost: h\r\nContent-Length: ${marker}\r\n\r\n`,
      `POST /events HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n${marker}`,
      `POST /events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${marker}\r\n`,
    ]) {
      const reply = await exchange(store.url, request)
      assertProblem(reply, 400, 'bad_request')
      assert.ok(!JSON.stringify(reply).includes(marker))
    }
  })

  it('answers 400 to a request that names no host, or none that could be one', async () => {
    for (const host of ['', 'Host: a b\r\n', 'Host: h/x?y\r\n']) {
      const reply = await exchange(store.url, `GET /livez HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
      assertProblem(reply, 400, 'bad_request')
    }
  })

  it('answers what expects something unknown', async () => {
    const request = 'GET /livez HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\nConnection: close\r\n\r\n'
    assert.equal((await exchange(store.url, request)).status, 200)
  })

  it('gives no other origin a word, unless it is told to', async () => {
    const { request, reply } = begin(`${store.url}/livez`, 'GET', { origin: ORIGIN })
    request.end()
    const { headers } = await reply
    assert.ok(!Object.keys(headers).some((name) => name.startsWith('access-control')))
  })
})

describe('a slow client', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({ HEADERS_TIMEOUT_MS: '300', REQUEST_TIMEOUT_MS: '600', ALLOWED_HOSTS: 'h' })

  it('gets 408 for a head that does not end', async () => {
    assertProblem(await exchange(store.url, 'GET /livez HTTP/1.1\r\nHost: h\r\n'), 408, 'request_timeout')
  })

  it('gets 408 for a body that drips, and nothing of it is stored', async () => {
    const body = JSON.stringify([eventOf({ event_type: 'dripped' })])
    const socket = await open(store.url)
    const reply = readRaw(socket)
    socket.write(
      `POST /events HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    )
    let at = 0
    const drip = setInterval(() => {
      if (at < body.length - 1) socket.write(body[at]!)
      at += 1
    }, 50)
    assertProblem(await reply, 408, 'request_timeout')
    clearInterval(drip)
    assert.equal(
      store.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get()),
      0,
    )
  })
})

describe('half-open connections', { timeout: HANGS_AFTER_MS }, () => {
  it('by the hundred, in the head and in the body, do not stop a client', async (t) => {
    const store = createInProcessStore()
    const sockets: Socket[] = []
    // The service stops at once when nobody is connected any more.
    t.after(async () => {
      for (const socket of sockets) socket.destroy()
      await store.remove()
    })
    await store.start({ BODY_BYTES_MAX: String(BODY_BYTES_MAX), ALLOWED_HOSTS: 'h' })
    const head = 'POST /events HTTP/1.1\r\nHost: h\r\n'
    // A body of the largest size is announced, and none of it comes.
    const whole = `${head}Content-Type: application/json\r\nContent-Length: ${BODY_BYTES_MAX}\r\n\r\n`
    const begun = [head, whole, `${whole}[`]
    while (sockets.length < HALF_OPEN) {
      const more = await Promise.all(Array.from({ length: 50 }, () => open(store.url)))
      for (const [i, socket] of more.entries()) socket.write(begun[i % begun.length]!)
      sockets.push(...more)
    }
    const { request, reply } = begin(`${store.url}/events`, 'POST', { 'content-type': 'application/json' })
    // As large as a body may be: what the others announced is not taken from it.
    request.end(JSON.stringify([eventOf(), eventOf()]).padEnd(BODY_BYTES_MAX))
    const { status, text } = await reply
    assert.equal(status, 200, text)
    assert.equal((JSON.parse(text) as { accepted: number }).accepted, 2)
    const dau = await getReply(`${store.url}/stats/dau?from=2025-08-01&to=2025-08-01`)
    assert.equal(dau.status, 200)
    assert.ok(sockets.every((socket) => !socket.destroyed))
  })
})

describe('other origins', { timeout: HANGS_AFTER_MS }, () => {
  const PREFLIGHT = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type,authorization',
  }

  it('that are listed may ask, and no others', async (t) => {
    const store = createInProcessStore()
    t.after(() => store.remove())
    await store.start({ CORS_ORIGINS: `https://other.example, ${ORIGIN}` })
    const preflight = await ask(store, 'OPTIONS', ORIGIN, PREFLIGHT)
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers['access-control-allow-origin'], ORIGIN)
    assert.match(String(preflight.headers['access-control-allow-methods']), /POST/)
    for (const name of [
      'content-type',
      'content-encoding',
      'authorization',
      'x-api-key',
      'idempotency-key',
    ]) {
      assert.ok(String(preflight.headers['access-control-allow-headers']).includes(name), name)
    }
    assert.equal(preflight.headers['access-control-max-age'], '600')
    assert.equal(preflight.headers['access-control-allow-credentials'], undefined)
    assert.match(String(preflight.headers['vary']), /origin/i)
    assertSecure(preflight.headers, 'preflight')
    // Also what is refused, so that the page can read why.
    const refused = await ask(store, 'POST', ORIGIN)
    assert.equal(refused.status, 415)
    assert.equal(refused.headers['access-control-allow-origin'], ORIGIN)
    for (const origin of [
      'https://evil.example',
      'http://app.example.com',
      `${ORIGIN}.evil.example`,
      'null',
    ]) {
      for (const method of ['OPTIONS', 'POST']) {
        const { headers } = await ask(store, method, origin, PREFLIGHT)
        assert.equal(headers['access-control-allow-origin'], undefined, origin)
      }
    }
  })

  it('may all ask where that is set', async (t) => {
    const store = createInProcessStore()
    t.after(() => store.remove())
    await store.start({ CORS_ORIGINS: '*' })
    assert.equal((await ask(store, 'OPTIONS', ORIGIN, PREFLIGHT)).headers['access-control-allow-origin'], '*')
  })

  it('are told apart from what is no origin when the service starts', () => {
    for (const list of [
      'app.example.com',
      `${ORIGIN}/`,
      `${ORIGIN},`,
      `*,${ORIGIN}`,
      'ftp://x',
      'null',
      'on',
    ]) {
      assert.throws(() => readConfig({ CORS_ORIGINS: list }), /CORS_ORIGINS/, list)
    }
    assert.deepEqual(readConfig({}).CORS_ORIGINS, [])
    assert.deepEqual(readConfig({ CORS_ORIGINS: `http://localhost:3000,${ORIGIN}` }).CORS_ORIGINS, [
      'http://localhost:3000',
      ORIGIN,
    ])
  })
})
