import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { JSON_TYPE, servePosting } from '../support/posting.ts'
import { post } from '../support/store.ts'
import { begin, eventOf } from '../support/wire.ts'

/** One valid event, and spaces up to the size. */
function bodyOf(bytes: number): Buffer {
  const body = Buffer.alloc(bytes, ' ')
  body.write(JSON.stringify([eventOf({ event_type: 'padded' })]))
  return body
}
const BODY_BYTES_MAX = howMany('bytes_of_the_largest_body')
const EVENTS_MAX = howMany('events_of_the_largest_batch')

describe('the body of POST /events', { timeout: HANGS_AFTER_MS }, () => {
  const home = servePosting({
    BODY_BYTES_MAX: String(BODY_BYTES_MAX),
    EVENTS_PER_REQUEST_MAX: String(EVENTS_MAX),
  })

  it('is refused as 400 not_json when it is not JSON', async () => {
    const bodies = [
      '',
      ' ',
      '{',
      '[{]',
      'undefined',
      "['a']",
      '[1,]',
      '[NaN]',
      '{"event_id":"x"}\n{"event_id":"y"}',
      Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d), // ["<not UTF-8>"]
      Buffer.from(JSON.stringify([eventOf()]), 'utf16le'),
    ]
    for (const body of bodies) {
      const response = await home.send(body)
      const problem = (await response.json()) as Record<string, unknown>
      assert.equal(response.status, 400, String(body))
      assert.equal(response.headers.get('content-type'), 'application/problem+json')
      assert.equal(problem['type'], '/problems/not_json')
      assert.equal(problem['status'], 400)
      assert.equal(typeof problem['title'], 'string')
      assert.equal(typeof problem['detail'], 'string')
    }
    assert.equal((await home.send(null)).status, 400)
  })

  it('is refused as 400 not_an_array when it is JSON of another kind', async () => {
    for (const body of ['null', '"text"', '42', '-1.5', 'true']) {
      const { status, json } = await post(home.events_url, body)
      assert.equal(status, 400, body)
      assert.equal(json['type'], '/problems/not_an_array')
    }
  })

  it('may be one event instead of an array', async () => {
    const { status, json } = await post(home.events_url, eventOf())
    assert.equal(status, 200)
    assert.deepEqual(json, { received: 1, accepted: 1, duplicates: 0, rejected: 0, errors: [] })
    const empty = await post(home.events_url, {})
    assert.equal(empty.status, 422)
    assert.equal(empty.json['type'], '/problems/invalid_events')
  })

  it('may be an empty array', async () => {
    const { status, json } = await post(home.events_url, [])
    assert.equal(status, 200)
    assert.deepEqual(json, { received: 0, accepted: 0, duplicates: 0, rejected: 0, errors: [] })
  })

  it(`may have ${EVENTS_MAX} events and not one more`, async () => {
    const event_type = 'many'
    const events = Array.from({ length: EVENTS_MAX + 1 }, (_, i) => eventOf({ user_id: i, event_type }))
    const over = await post(home.events_url, events)
    assert.equal(over.status, 413)
    assert.equal(over.json['type'], '/problems/too_many_events')
    assert.match(String(over.json['detail']), new RegExp(String(EVENTS_MAX)))
    assert.equal(await home.countOf(event_type), 0)
    events.pop()
    const full = await post(home.events_url, events)
    assert.equal(full.status, 200)
    assert.equal(full.json['accepted'], EVENTS_MAX)
    assert.equal(await home.countOf(event_type), EVENTS_MAX)
  })

  describe('at the limit of its size', () => {
    const ways: Record<string, (body: Buffer) => Promise<{ status: number; text: string }>> = {
      'fetch with a length': async (body) => {
        const response = await home.send(body)
        return { status: response.status, text: await response.text() }
      },
      'fetch in chunks': async (body) => {
        const init = { method: 'POST', headers: JSON_TYPE, body: new Blob([body]).stream(), duplex: 'half' }
        const response = await fetch(home.events_url, init as RequestInit)
        return { status: response.status, text: await response.text() }
      },
      'node:http with a length': (body) => {
        const headers = { ...JSON_TYPE, 'content-length': String(body.length) }
        const { request, reply } = begin(home.events_url, 'POST', headers)
        request.end(body)
        return reply
      },
      'node:http in chunks': (body) => {
        const { request, reply } = begin(home.events_url, 'POST', JSON_TYPE)
        for (let at = 0; at < body.length; at += 65_536) request.write(body.subarray(at, at + 65_536))
        request.end()
        return reply
      },
    }
    for (const [way, sendBody] of Object.entries(ways)) {
      it(`takes exactly that much from ${way} and answers 413 to more`, async () => {
        const full = await sendBody(bodyOf(BODY_BYTES_MAX))
        assert.equal(full.status, 200, full.text)
        assert.equal((JSON.parse(full.text) as { accepted: number }).accepted, 1)
        const stored = await home.countOf('padded')
        for (const bytes of [BODY_BYTES_MAX + 1, BODY_BYTES_MAX + 1024 * 1024]) {
          const over = await sendBody(bodyOf(bytes))
          assert.equal(over.status, 413, over.text)
          assert.equal((JSON.parse(over.text) as { type: string }).type, '/problems/body_too_large')
        }
        assert.equal(await home.countOf('padded'), stored)
      })
    }
  })

  it('must say that it is JSON in UTF-8', async () => {
    const body = JSON.stringify([eventOf()])
    const refused = [
      'text/json',
      'application/x-www-form-urlencoded',
      'application/json-seq',
      'application/problem+json',
      'multipart/form-data; boundary=application/json',
      'application/json; charset=utf-16',
      'application/json; charset=iso-8859-1',
    ]
    for (const type of refused) {
      const response = await home.send(body, { 'content-type': type })
      const problem = (await response.json()) as Record<string, unknown>
      assert.equal(response.status, 415, type)
      assert.equal(problem['type'], '/problems/unsupported_media_type')
    }
    const none = begin(home.events_url, 'POST')
    none.request.end(body)
    assert.equal((await none.reply).status, 415)
    for (const type of [
      'application/json',
      'Application/JSON',
      'application/json;charset=utf-8',
      'application/json; charset="UTF-8"',
      'application/json; v=1',
    ]) {
      assert.equal((await home.send(body, { 'content-type': type })).status, 200, type)
    }
  })

  it('may begin with a byte order mark', async () => {
    const { status, json } = await post(home.events_url, `\uFEFF${JSON.stringify([eventOf()])}`)
    assert.equal(status, 200)
    assert.equal(json['accepted'], 1)
  })
})
