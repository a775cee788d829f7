import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { fuzzRequest } from './fuzz/requests.ts'
import type { FuzzRequest } from './fuzz/requests.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { memoryBytes } from '../support/memory.ts'
import { createTestStore } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { logOf } from '../support/log-lines.ts'
import type { Reply } from '../support/wire.ts'

const REQUESTS = howMany('fuzz_requests')
const SEED = Number(process.env['FROSTLINE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Requests at a time. Each lane makes, sends and, where one fails, shrinks its own. */
const LANES = 8
/** What a process may grow by between the first third of the requests and the last without leaking: what is not collected yet. */
const GROWTH_MAX_BYTES = 96 * 1024 * 1024

const ANSWERS = [200, 400, 413, 415, 422]
const REFUSALS_503 = ['/problems/queue_full', '/problems/store_unavailable', '/problems/disk_full']

interface Answer {
  type?: string
  received: number
  accepted: number
  duplicates: number
  rejected: number
}

describe('any bytes as a body', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: LANES })
  let store: TestStore
  let service: ServiceProcess
  before(async () => {
    store = createTestStore()
    service = await store.serve({ BODY_INFLATED_BYTES_MAX: '1048576' })
  })
  after(async () => {
    agent.destroy()
    await store.remove()
  })

  function send({ type, coding, strict, body }: FuzzRequest): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': type, 'content-encoding': coding, 'content-length': body.length }
      const outgoing = request(`${service.url}/events?strict=${strict}`, { method: 'POST', agent, headers })
      outgoing.setTimeout(HANGS_AFTER_MS, () => outgoing.destroy(new Error('no answer')))
      outgoing.once('error', reject)
      outgoing.once('response', (incoming) => {
        let text = ''
        incoming.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        incoming.once('end', () => resolve({ status: incoming.statusCode!, headers: incoming.headers, text }))
      })
      outgoing.end(body)
    })
  }

  it(`is answered, and what is acknowledged is stored, and nothing else (seed ${SEED})`, async (t) => {
    const acknowledged = new Set<string>()
    const statuses: Record<number, number> = {}
    let accepted = 0
    let sent = 0
    let third_bytes = 0

    async function judge(fuzzed: FuzzRequest): Promise<void> {
      const { status, headers, text } = await send(fuzzed)
      sent += 1
      statuses[status] = (statuses[status] ?? 0) + 1
      if (sent === Math.floor(REQUESTS / 3)) third_bytes = memoryBytes(service.pid)
      const answer = JSON.parse(text) as Answer
      if (status === 503) assert.ok(REFUSALS_503.includes(answer.type!), text)
      else assert.ok(ANSWERS.includes(status), `${status} ${text}`)
      if (status !== 200) {
        assert.equal(headers['content-type'], 'application/problem+json')
        assert.ok(!fuzzed.sound, text)
        return
      }
      accepted += answer.accepted
      assert.equal(answer.accepted + answer.duplicates + answer.rejected, answer.received)
      if (!fuzzed.sound) return
      assert.deepEqual([answer.received, answer.rejected], [fuzzed.events.length, 0])
      for (const { event_id } of fuzzed.events) if (typeof event_id === 'string') acknowledged.add(event_id)
    }

    const lanes = Array.from({ length: LANES }, (_, lane) =>
      fc.assert(fc.asyncProperty(fuzzRequest, judge), {
        seed: SEED + lane,
        numRuns: Math.ceil(REQUESTS / LANES),
      }),
    )
    await Promise.all(lanes)

    const last_bytes = memoryBytes(service.pid)
    const grown_mib = Math.round((last_bytes - third_bytes) / 1024 / 1024)
    t.diagnostic(`seed ${SEED}: ${sent} requests, ${JSON.stringify(statuses)}, memory ${grown_mib} MiB more`)
    assert.ok(last_bytes - third_bytes < GROWTH_MAX_BYTES, `the service grew by ${grown_mib} MiB`)
    assert.deepEqual(
      logOf(service).filter(({ level }) => Number(level) >= 50),
      [],
    )
    assert.equal(await service.stop(), 0)

    const db = new Database(join(store.data_dir, 'frostline.db'), { readonly: true })
    const ids = db.prepare('SELECT lower(hex(event_id)) FROM events').pluck().all() as string[]
    db.close()
    const stored = new Set(ids)
    assert.equal(stored.size, accepted)
    assert.deepEqual(
      [...acknowledged].filter((id) => !stored.has(id.replaceAll('-', ''))),
      [],
    )
    assert.ok(acknowledged.size > REQUESTS / 10, `${acknowledged.size}`)
  })
})
