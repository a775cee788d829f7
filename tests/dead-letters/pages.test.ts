import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

interface Page {
  data: { id: number }[]
  next_cursor: string | null
}

async function pageAt(address: string) {
  const { json } = await get<Page>(address)
  return [json.data.map(({ id }) => id), json.next_cursor]
}

describe('a page of dead letters', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore()
  const letters = () => `${store.url}/dead-letters`

  it('has a next one exactly if there are more letters', async () => {
    await post(`${store.url}/events`, [eventOf({ user_id: '' })])
    assert.deepEqual(await pageAt(`${letters()}?limit=1`), [[1], null])
    await post(`${store.url}/events`, [eventOf({ event_type: '' })])
    assert.deepEqual(await pageAt(`${letters()}?limit=1`), [[2], '2'])
    assert.deepEqual(await pageAt(`${letters()}?limit=1&cursor=2`), [[1], null])
    assert.deepEqual(await pageAt(`${letters()}?limit=2`), [[2, 1], null])
    // Letters that the filter leaves out are not more.
    assert.deepEqual(await pageAt(`${letters()}?limit=1&reason=event_type`), [[2], null])
  })
})
