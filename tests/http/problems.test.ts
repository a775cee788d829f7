import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { createKey } from '../../src/auth/keys.ts'
import { nowMicros } from '../../src/event/time.ts'
import { PROBLEM_CODES, PROBLEMS } from '../../src/problem/problems.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { get } from '../support/store.ts'

describe('the type of a problem', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore()
  before(() => {
    store.inSqlite((db) => createKey(db, 'me', ['read'], nowMicros()))
  })

  async function read(path: string, accept: string) {
    const response = await fetch(store.url + path, { headers: { accept } })
    const { status, headers } = response
    return {
      status,
      type: headers.get('content-type'),
      vary: headers.get('vary'),
      text: await response.text(),
    }
  }

  it('is an address that explains it, without a key', async () => {
    const refused = await get<{ type: string }>(`${store.url}/tiers`)
    assert.equal(refused.status, 401)
    const { status, json } = await get(store.url + refused.json.type)
    assert.equal(status, 200)
    const { title, meaning, remedy } = PROBLEMS.unauthorized
    assert.deepEqual(json, { type: '/problems/unauthorized', status: 401, title, meaning, remedy })
  })

  it('is listed with all others', async () => {
    const { json } = await get<{ data: { type: string }[] }>(`${store.url}/problems`)
    assert.deepEqual(
      json.data.map(({ type }) => type),
      PROBLEM_CODES.map((code) => `/problems/${code}`),
    )
    for (const entry of json.data) assert.deepEqual((await get(store.url + entry.type)).json, entry)
  })

  it('is a page for a browser, with everything that the JSON says', async () => {
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
    for (const code of PROBLEM_CODES) {
      const { status, type, vary, text } = await read(`/problems/${code}`, browser)
      assert.deepEqual([status, type, vary], [200, 'text/html; charset=utf-8', 'Accept'])
      const { title, meaning, remedy } = PROBLEMS[code]
      for (const part of [title, meaning, remedy, PROBLEMS[code].status])
        assert.ok(text.includes(String(part)), text)
    }
    const list = await read('/problems', browser)
    for (const code of PROBLEM_CODES) assert.ok(list.text.includes(`<a href="/problems/${code}">`), code)
    assert.equal((await read('/problems', '*/*')).type, 'application/json')
  })

  it('of no problem is not found, and is not repeated', async () => {
    const { status, type, text } = await read('/problems/%3Cb%3Ezebra', 'text/html')
    assert.deepEqual([status, type], [404, 'application/problem+json'])
    assert.doesNotMatch(text, /zebra/)
  })
})
