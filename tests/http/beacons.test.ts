import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sharedStore } from '../support/shared-store.ts'
import { eventOf, sendBytes } from '../support/wire.ts'

/** What pages send with `navigator.sendBeacon`, which cannot set headers. */

describe('a beacon', { timeout: HANGS_AFTER_MS }, () => {
  const store = sharedStore()
  const send = (type: string) =>
    sendBytes(`${store.url}/events`, { 'content-type': type }, JSON.stringify([eventOf()]))

  it('of a string of JSON is taken as JSON', async () => {
    for (const type of ['text/plain;charset=UTF-8', 'text/plain'])
      assert.equal((await send(type)).status, 200, type)
    assert.equal((await send('text/plain;charset=utf-16')).status, 415)
  })
})
