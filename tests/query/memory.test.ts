import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { howMany } from '../support/counts.ts'
import { serveStore } from '../support/in-process.ts'
import { get, post } from '../support/store.ts'
import { eventOf } from '../support/wire.ts'

const MEMORY_MB = 64
/** All different: in the long form together almost as large as the memory. */
const EVENTS = howMany('events_of_a_large_question')
const AT_A_TIME = 300
const CHARS = 31_000

describe('a question that needs more memory than it may have', () => {
  const home = serveStore({ QUERY_MEMORY_MB: String(MEMORY_MB) })

  it('is answered with what to do, and the next one with its answer', async () => {
    for (let first = 0; first < EVENTS; first += AT_A_TIME) {
      const events = Array.from({ length: AT_A_TIME }, (_, i) =>
        eventOf({ properties: { filler: `${first + i}`.padEnd(CHARS, 'x') } }),
      )
      assert.equal((await post(`${home.url}/events`, events)).status, 200)
    }
    await home.compact()
    const range = 'from=2025-08-01&to=2025-08-01'
    const query = `${range}&measure=users&group_by=properties.filler`
    const reply = await get<{ type: string; detail: string }>(`${home.url}/stats/trend?${query}`)
    assert.deepEqual([reply.status, reply.json.type], [503, '/problems/query_out_of_memory'])
    assert.match(reply.json.detail, /more than 64 MB. Ask for fewer days/)
    assert.equal((await get(`${home.url}/stats/dau?${range}`)).status, 200)
  })
})
