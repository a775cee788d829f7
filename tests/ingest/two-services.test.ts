import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { ServiceProcess } from '../support/store.ts'

/** Nobody should run two services on one folder; whoever does still has each event once. */
describe('two services on one folder', () => {
  const home = serveStore()
  const store = createTestStore(home.data_dir)
  let services: (InProcessStore | ServiceProcess)[]
  before(async () => {
    services = [home, await store.serve()]
  })
  after(() => store.remove())

  it('store an event once that both are sent, one after the other or at the same time', async () => {
    const batches = Array.from({ length: 40 }, (_, n) => sampleEvents(n, 50, '2025-08-01', 5))
    const all = batches.flat()
    const sums = await Promise.all(
      services.map(async ({ url }, n) => {
        let accepted = 0
        // From both ends, so that each meets what the other has stored long ago and what it stores just now.
        for (const batch of n === 0 ? batches : batches.toReversed()) {
          const { json } = await post(`${url}/events`, batch)
          accepted += json['accepted'] as number
        }
        return accepted
      }),
    )
    assert.equal(sums[0]! + sums[1]!, all.length, String(sums))
    assert.ok(
      sums.every((accepted) => accepted > 0),
      String(sums),
    )
    for (const { url } of services) {
      const { json } = await get<{ data: { count: number }[] }>(
        `${url}/stats/top-events?from=2025-08-01&to=2025-08-31&limit=1000`,
      )
      assert.equal(
        json.data.reduce((n, { count }) => n + count, 0),
        all.length,
      )
    }
    for (const service of services) await service.stop()
    const verified = await store.cli(['verify', '--deep'])
    assert.equal(verified.code, 0, verified.stdout)
  })
})
