import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { get, post } from '../support/store.ts'
import { begin, getReply, slowEvents, slowSegments } from '../support/wire.ts'
import { untilLogged } from '../support/log-lines.ts'
import { DAY } from '../support/reading-events.ts'
import type { Page, Problem } from '../support/reading-events.ts'

describe('a client that leaves while events are looked for', () => {
  /** Seconds of work: every event's properties are searched again and again. */
  const SLOW = `/events?${DAY}${slowSegments(16)}`
  const service = createInProcessStore()
  afterEach(() => service.stop())
  after(() => service.remove())

  it('ends the search at once, and the next one is answered', async () => {
    await service.start({
      QUERIES_RUNNING_MAX: '1',
      QUERY_THREADS: '1',
      QUERY_TIMEOUT_MS: '600000',
    })
    assert.equal(
      (await post(`${service.url}/events`, slowEvents(howMany('events_of_a_slow_question')))).status,
      200,
    )
    const { request, reply } = begin(service.url + SLOW, 'GET')
    const gone = assert.rejects(reply)
    await new Promise<void>((resolve) => {
      request.end(resolve)
    })
    assert.equal((await get(`${service.url}/livez`)).status, 200)
    request.destroy()
    await gone
    // Only one may run: the next one waits until the search has really ended.
    const { status, json } = await get<Page>(`${service.url}/events?${DAY}&limit=1`)
    assert.deepEqual([status, json.data.length], [200, 1])
    const left = await untilLogged(service, (line) => line['status'] === 499)
    assert.equal(left['route'], '/events')
  })

  it('is told so when it stays: the time limit and the line hold here too', async () => {
    await service.start({
      QUERY_TIMEOUT_MS: '300',
      QUERY_THREADS: '1',
      QUERIES_RUNNING_MAX: '1',
    })
    const { status, text } = await getReply(service.url + SLOW)
    assert.deepEqual([status, (JSON.parse(text) as Problem).type], [503, '/problems/query_timeout'])
  })
})
