import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { memoryBytes } from '../support/memory.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { begin, eventOf } from '../support/wire.ts'

const MIB = 1024 * 1024
const INFLATED_BYTES_MAX = howMany('bytes_of_an_inflated_body')
const IN_FLIGHT_BYTES_MAX = 4 * INFLATED_BYTES_MAX
const BOMBS_AT_ONCE = 12
/** Beside the cap: the pieces joined to one body, and what garbage the process had not collected yet. */
const BESIDE_BYTES = 192 * MIB
/** Between two looks at the memory. */
const LOOK_MS = 50
const MEMBER_BYTES = 16 * MIB
const BOMB_BYTES = 10 * 1024 * MIB

/**
 * 10 GiB of spaces in about 10 MiB of gzip. A gzip file is a row of members, so one that is made once and sent again and again is a bomb.
 */
function* bombParts(): Generator<Buffer> {
  const member = gzipSync(Buffer.alloc(MEMBER_BYTES, ' '))
  for (let bytes = 0; bytes < BOMB_BYTES; bytes += MEMBER_BYTES) yield member
}

describe('a body that inflates a thousandfold', { timeout: HANGS_AFTER_MS }, () => {
  let store: TestStore
  let service: ServiceProcess
  before(async () => {
    store = createTestStore()
    service = await store.serve({
      BODY_INFLATED_BYTES_MAX: String(INFLATED_BYTES_MAX),
      BODIES_IN_FLIGHT_BYTES_MAX: String(IN_FLIGHT_BYTES_MAX),
    })
    await post(`${service.url}/events`, [eventOf()])
  })
  after(() => store.remove())

  /** Sends it while looking at the service's memory; @returns the status and the most that was seen beyond what it had before. */
  async function blowUp(coding: string, parts: Iterable<Buffer>) {
    const before_bytes = memoryBytes(service.pid)
    let most_bytes = 0
    const look = () => {
      most_bytes = Math.max(most_bytes, memoryBytes(service.pid) - before_bytes)
    }
    const watch = setInterval(look, LOOK_MS)
    const { request, reply } = begin(`${service.url}/events`, 'POST', {
      'content-type': 'application/json',
      'content-encoding': coding,
    })
    let sent_bytes = 0
    for (const part of parts) {
      sent_bytes += part.length
      await new Promise<void>((resolve) => {
        request.write(part, () => resolve())
      })
    }
    request.end()
    const { status, text } = await reply.finally(() => clearInterval(watch))
    look()
    const { type } = JSON.parse(text) as { type: string }
    return { status, type, most_bytes, sent_bytes }
  }

  it('costs no more memory than the cap and a stated rest, whatever it would become', async (t) => {
    const { status, type, most_bytes, sent_bytes } = await blowUp('gzip', bombParts())
    assert.deepEqual([status, type], [413, '/problems/body_too_large'])
    t.diagnostic(`${Math.round(sent_bytes / MIB)} MiB sent, ${Math.round(most_bytes / MIB)} MiB of memory`)
    assert.ok(sent_bytes > 9 * MIB && sent_bytes < 12 * MIB, `${sent_bytes}`)
    assert.ok(most_bytes < INFLATED_BYTES_MAX + BESIDE_BYTES, `${most_bytes / MIB} MiB`)
  })

  it('costs no more with br, which packs still denser', async () => {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 5, [constants.BROTLI_PARAM_LGWIN]: 24 }
    const bomb = brotliCompressSync(Buffer.alloc(2 * INFLATED_BYTES_MAX, ' '), { params })
    const { status, type, most_bytes } = await blowUp('br', [bomb])
    assert.deepEqual([status, type], [413, '/problems/body_too_large'])
    assert.ok(most_bytes < INFLATED_BYTES_MAX + BESIDE_BYTES, `${most_bytes / MIB} MiB`)
  })

  it('costs no more by the dozen, because what is inflated counts as in flight', async (t) => {
    const bomb = gzipSync(Buffer.alloc(INFLATED_BYTES_MAX + 1, ' '))
    const replies = await Promise.all(Array.from({ length: BOMBS_AT_ONCE }, () => blowUp('gzip', [bomb])))
    for (const { status } of replies) assert.ok(status === 413 || status === 503, String(status))
    const most_bytes = Math.max(...replies.map((r) => r.most_bytes))
    t.diagnostic(`${Math.round(most_bytes / MIB)} MiB of memory`)
    assert.ok(most_bytes < IN_FLIGHT_BYTES_MAX + BESIDE_BYTES, `${most_bytes / MIB} MiB`)
  })

  it('leaves a service that goes on', async () => {
    const { status } = await post(`${service.url}/events`, [eventOf()])
    assert.equal(status, 200)
    const { json } = await get<{ hot: { events: number } }>(`${service.url}/tiers`)
    assert.equal(json.hot.events, 2)
  })
})
