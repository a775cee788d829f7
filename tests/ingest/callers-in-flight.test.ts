import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { assertProblem, begin, eventOf, getReply, sendBytes } from '../support/wire.ts'
import type { Reply } from '../support/wire.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const ALL_BYTES_MAX = 40_000
const CALLER_BYTES_MAX = 20_000

/** One event, and spaces up to the size. */
const bodyOf = (bytes: number) => Buffer.from(JSON.stringify([eventOf()]).padEnd(bytes))

const from = (caller: string) => ({ ...JSON_TYPE, 'x-forwarded-for': caller })

const typeOf = ({ text }: Reply) => (JSON.parse(text) as { type: string }).type

describe('bodies in flight', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({
    BODIES_IN_FLIGHT_BYTES_MAX: String(ALL_BYTES_MAX),
    BODIES_IN_FLIGHT_PER_CALLER_BYTES_MAX: String(CALLER_BYTES_MAX),
    BODY_STALL_TIMEOUT_MS: '2000',
    TRUSTED_PROXIES: '127.0.0.1',
  })
  const send = (caller: string, body: Buffer<ArrayBuffer>) =>
    sendBytes(`${store.url}/events`, from(caller), body)

  /** Sends the beginning of a body, which reaches the service, and then nothing. */
  async function stall(caller: string, part: Buffer, headers: Record<string, string> = {}) {
    const begun = begin(`${store.url}/events`, 'POST', { ...from(caller), ...headers })
    begun.reply.catch(() => {})
    await new Promise<void>((resolve) => {
      begun.request.write(part, () => resolve())
    })
    for (let turn = 0; turn < 3; turn += 1) await getReply(`${store.url}/livez`)
    return begun
  }

  it('of one caller are refused beyond its share, while another is served; a stall is answered and gives the room back', async () => {
    const stalled = await stall('10.0.0.1', bodyOf(15_000))
    assertProblem(await send('10.0.0.1', bodyOf(CALLER_BYTES_MAX - 15_000 + 1)), 503, 'queue_full')
    assert.equal((await send('10.0.0.1', bodyOf(CALLER_BYTES_MAX - 15_000))).status, 200)
    assert.equal((await send('10.0.0.2', bodyOf(CALLER_BYTES_MAX))).status, 200)

    const reply = await stalled.reply
    assert.deepEqual([reply.status, typeOf(reply)], [408, '/problems/request_timeout'])
    assert.equal(reply.headers['connection'], 'close')
    const again = await stall('10.0.0.1', bodyOf(CALLER_BYTES_MAX - 15_000 + 1))
    assert.equal((await send('10.0.0.1', bodyOf(15_000 - 1))).status, 200)
    again.request.destroy()
  })

  it('may exceed the share of the caller where it has no other', async () => {
    assert.equal((await send('10.0.0.3', bodyOf(CALLER_BYTES_MAX + 1))).status, 200)
  })

  it('of many stalled connections hold what was sent of them, and not what that inflates to', async () => {
    // Each would inflate to more than all bodies may have.
    const body = gzipSync(bodyOf(ALL_BYTES_MAX * 20)).subarray(0, -8)
    const stalled = []
    for (let n = 0; n < 23; n += 1) {
      stalled.push(await stall(`10.0.1.${n}`, body, { 'content-encoding': 'gzip' }))
    }
    assert.equal((await send('10.0.2.1', bodyOf(10_000))).status, 200)
    for (const { reply } of stalled) assert.equal((await reply).status, 408)
  })
})
