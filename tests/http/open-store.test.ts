import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { readConfig } from '../../src/config.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { makeKeyIn } from '../support/auth.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import { begin, eventOf } from '../support/wire.ts'

/** What is answered to this request line and these headers, word for word. */
async function exchange(url: string, lines: readonly string[], body = ''): Promise<[number, string]> {
  const { port, hostname } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  socket.write(`${[...lines, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`)
  await once(socket, 'close')
  const [head, reply] = text.split('\r\n\r\n') as [string, string]
  return [Number(head.split(' ')[1]), reply]
}

const codeOf = (reply: string) => (JSON.parse(reply) as { type?: string }).type

const OWN = [
  'localhost',
  'LocalHost:8080',
  'localhost.',
  'localhost.:1',
  '127.0.0.1',
  '127.9.8.7:80',
  '[::1]',
  '[::1]:8080',
]
const FOREIGN = [
  'evil.example',
  'evil.example:8080',
  'localhost.evil.example',
  '127.0.0.1.evil.example',
  'xlocalhost',
  '128.0.0.1',
  '10.0.0.1',
  '[::2]',
  '[::1.2.3.4]',
]

describe('an open store', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({ ALLOWED_HOSTS: 'Store.example, [fd00::1]', CORS_ORIGINS: 'https://app.example' })
  const hello = (host: string) => exchange(store.url, ['GET /tiers HTTP/1.1', `Host: ${host}`])

  it('answers to every form of the names of this machine, and to those that are allowed', async () => {
    for (const host of [...OWN, 'store.example', 'STORE.EXAMPLE:443', 'store.example.', '[fd00::1]:8080']) {
      assert.equal((await hello(host))[0], 200, host)
    }
  })

  it('refuses every other name, as a page that was rebound would send it', async () => {
    for (const host of [...FOREIGN, 'other.store.example', '[fd00::2]']) {
      const [status, reply] = await hello(host)
      assert.deepEqual([status, codeOf(reply)], [421, '/problems/misdirected_request'], host)
      assert.ok(!reply.includes(host))
    }
    const lines = ['POST /events HTTP/1.1', 'Host: evil.example', 'Content-Type: application/json']
    const body = JSON.stringify([eventOf()])
    const [status] = await exchange(store.url, [...lines, `Content-Length: ${body.length}`], body)
    assert.equal(status, 421)
    assert.equal(
      store.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get()),
      0,
    )
  })

  it('refuses HTTP/1.0 without a name', async () => {
    const [status] = await exchange(store.url, ['GET /tiers HTTP/1.0'])
    assert.equal(status, 400)
  })

  it('takes nothing from a page of another origin, which can post without asking first', async () => {
    const post = async (path: string, headers: Record<string, string>) => {
      const { request, reply } = begin(store.url + path, 'POST', headers)
      request.end()
      const { status, text } = await reply
      return [status, codeOf(text)]
    }
    const refused = [403, '/problems/foreign_origin']
    const own = new URL(store.url).host
    for (const origin of ['https://evil.example', 'null', 'http://localhost:1', `http://x.${own}`]) {
      // What a form can send, and a replay, which needs no body at all.
      assert.deepEqual(await post('/events', { origin, 'content-type': 'text/plain' }), refused, origin)
      assert.deepEqual(await post('/dead-letters/1/replay', { origin }), refused, origin)
    }
    for (const origin of [`http://${own}`, 'https://app.example']) {
      assert.deepEqual(await post('/dead-letters/1/replay', { origin }), [404, '/problems/not_found'], origin)
    }
    assert.deepEqual(await post('/dead-letters/1/replay', {}), [404, '/problems/not_found'])
    const { request, reply } = begin(`${store.url}/livez`, 'GET', { origin: 'https://evil.example' })
    request.end()
    assert.equal((await reply).status, 200)
  })

  it('answers to any name once it has a key', async (t) => {
    const home = createInProcessStore()
    t.after(() => home.remove())
    await home.start()
    assert.equal((await exchange(home.url, ['GET /livez HTTP/1.1', 'Host: evil.example']))[0], 421)
    makeKeyIn(home, 'read')
    assert.equal((await exchange(home.url, ['GET /livez HTTP/1.1', 'Host: evil.example']))[0], 200)
  })
})

describe('ALLOWED_HOSTS', () => {
  it('takes names and addresses, and no ports, schemes or patterns', () => {
    assert.deepEqual(readConfig({}).ALLOWED_HOSTS, [])
    assert.deepEqual(readConfig({ ALLOWED_HOSTS: 'A.example,10.0.0.1, [::2]' }).ALLOWED_HOSTS, [
      'a.example',
      '10.0.0.1',
      '::2',
    ])
    for (const list of ['a.example:80', 'http://a.example', '*', 'a.example,', 'a b', 'a/b']) {
      assert.throws(() => readConfig({ ALLOWED_HOSTS: list }), /ALLOWED_HOSTS/, list)
    }
  })
})
