import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ROUTES } from '../../src/http/routes.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sharedStore } from '../support/shared-store.ts'
import { countOf, get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

describe('an address with a slash at its end', { timeout: HANGS_AFTER_MS }, () => {
  const store = sharedStore()

  it('takes events', async () => {
    const { status, json } = await post(`${store.url}/events/?strict=true`, [
      eventOf({ occurred_at: '2025-01-07T00:00:00Z' }),
    ])
    assert.deepEqual([status, json['accepted']], [200, 1])
    assert.equal(await countOf(store.url, 'from=2025-01-07&to=2025-01-07'), 1)
  })

  it('is the same as without it, for every route', async () => {
    for (const { method, path } of ROUTES) {
      // The root is a slash.
      if (path === '/') continue
      const address =
        store.url + path.replace(':file', 'docs.js').replace(':code', 'internal').replace(':id', '7')
      const [plain, slashed] = await Promise.all(
        [address, `${address}/`].map(async (url) => {
          const response = await fetch(url, { method, redirect: 'follow' })
          return { status: response.status, type: response.headers.get('content-type') }
        }),
      )
      assert.deepEqual(slashed, plain, `${method} ${path}`)
    }
  })

  it('leads to a page whose links work', async () => {
    const response = await fetch(`${store.url}/docs/`)
    assert.equal(response.url, `${store.url}/docs`)
  })

  it('is not found if the address is not', async () => {
    assert.equal((await get(`${store.url}/event/`)).status, 404)
    assert.equal((await get(`${store.url}/events//`)).status, 404)
  })
})
