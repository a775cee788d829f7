import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { eventOf } from '../support/wire.ts'

/** What pages send with `navigator.sendBeacon`, which cannot set headers and asks for no permission. */

const ALLOWED = 'https://app.example.com'

describe('a beacon', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({ CORS_ORIGINS: ALLOWED })

  /** By node:http, because fetch does not send headers that only browsers may set. */
  function send(
    headers: Record<string, string>,
    path = '/events',
    method = 'POST',
  ): Promise<{ status: number; json: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const sending = request(store.url + path, { method, headers }, (reply) => {
        let text = ''
        reply.on('data', (part: Buffer) => (text += part.toString()))
        reply.on('end', () =>
          resolve({ status: reply.statusCode!, json: JSON.parse(text) as Record<string, unknown> }),
        )
      })
      sending.once('error', reject)
      sending.end(method === 'GET' ? undefined : JSON.stringify([eventOf()]))
    })
  }
  const statusOf = async (site: string, origin: string) =>
    (await send({ ...beacon, 'sec-fetch-site': site, origin })).status
  const beacon = { 'content-type': 'text/plain;charset=UTF-8' }

  it('of a string of JSON is taken as JSON', async () => {
    for (const type of ['text/plain;charset=UTF-8', 'text/plain']) {
      const { status, json } = await send({ 'content-type': type })
      assert.deepEqual([status, json['accepted']], [200, 1], type)
    }
    assert.equal((await send({ 'content-type': 'text/plain;charset=utf-16' })).status, 415)
  })

  it('is taken from pages of the service and of CORS_ORIGINS, and refused from others', async () => {
    assert.equal(await statusOf('same-origin', store.url), 200)
    assert.equal(await statusOf('cross-site', ALLOWED), 200)
    assert.equal(await statusOf('cross-site', 'https://other.example.com'), 403)
    assert.equal(await statusOf('same-site', 'http://127.0.0.1:3000'), 403)
    assert.equal(await statusOf('cross-site', 'null'), 403)
  })

  it('is refused with a problem that says what to do, and reading is not', async () => {
    const foreign = { ...beacon, 'sec-fetch-site': 'cross-site', origin: 'https://other.example.com' }
    const { json } = await send(foreign)
    assert.equal(json['type'], '/problems/origin_not_allowed')
    assert.equal((await send(foreign, '/dead-letters/1/replay')).status, 403)
    assert.equal((await send(foreign, '/tiers', 'GET')).status, 200)
  })
})
