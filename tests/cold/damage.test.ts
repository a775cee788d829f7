import assert from 'node:assert/strict'
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { VerifyError } from '../../src/cold/parquet.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, seeded, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { ASK_AGAIN_MS, countOf, get, post, postAll } from '../support/store.ts'

const RANGE = 'from=2025-08-01&to=2025-08-31'

describe('a damaged cold file', () => {
  const events = sampleEvents(20, 900, '2025-08-01', 3)
  const second = events.filter(({ occurred_at }) => occurred_at.startsWith('2025-08-02'))
  const others = events.filter((event) => !second.includes(event))
  let filled: InProcessStore
  let home: InProcessStore
  let path: string
  let original: Buffer
  before(async () => {
    filled = createInProcessStore()
    await filled.start()
    await postAll(filled.url, events)
    await filled.compact()
    await filled.stop()
  })
  after(() => filled.remove())

  /** A copy of the store. Its file of the second day is the one to damage. */
  function copyStore(): void {
    home = createInProcessStore(filled)
    const listed = home.listed().find((name) => name.startsWith('day=2025-08-02'))!
    path = join(home.layout.cold, listed)
    original = readFileSync(path)
  }

  /** The first reply that is more than "not ready yet". */
  async function postOnceStarted(batch: readonly SampleEvent[]): ReturnType<typeof post> {
    for (;;) {
      const reply = await post(`${home.url}/events`, batch)
      if (reply.json['type'] !== '/problems/not_ready') return reply
      await setTimeout(ASK_AGAIN_MS)
    }
  }

  async function assertRefused(range: string): Promise<void> {
    const { status, json } = await get(`${home.url}/stats/dau?${range}`)
    assert.equal(status, 500, JSON.stringify(json))
    assert.equal(json['type'], '/problems/cold_file_damaged')
    assert.ok(String(json['detail']).includes(path.slice(home.layout.cold.length + 1)))
    assert.match(String(json['detail']), / of 2025-08-02 /)
  }

  async function assertOnlyItsDayFails(): Promise<void> {
    await assertRefused('from=2025-08-02&to=2025-08-02')
    await assertRefused(RANGE)
    assert.equal(
      (await countOf(home.url, 'from=2025-08-01&to=2025-08-01')) +
        (await countOf(home.url, 'from=2025-08-03&to=2025-08-31')),
      others.length,
    )
  }

  describe('while the service runs', () => {
    before(() => {
      copyStore()
      return home.start()
    })
    afterEach(() => writeFileSync(path, original))
    after(() => home.remove())

    it('is a loud error for its day alone when it is missing', async () => {
      assert.equal(await countOf(home.url, RANGE), events.length)
      renameSync(path, `${path}.away`)
      await assertOnlyItsDayFails()
      renameSync(`${path}.away`, path)
      assert.equal(await countOf(home.url, RANGE), events.length)
    })

    it('is a loud error for its day alone when it is truncated, also if it was read before', async () => {
      assert.equal(await countOf(home.url, RANGE), events.length)
      truncateSync(path, Math.floor(original.length / 2))
      await assertOnlyItsDayFails()
      truncateSync(path, 0)
      await assertOnlyItsDayFails()
      writeFileSync(path, original)
      assert.equal(await countOf(home.url, RANGE), events.length)
    })

    it('is a loud error when its end is overwritten and its size is the same', async () => {
      writeFileSync(path, Buffer.concat([original.subarray(0, -200), Buffer.alloc(200)]))
      await assertOnlyItsDayFails()
    })

    it('is a loud error when a single bit of it is another, wherever, also if it was read before', async () => {
      const random = seeded(22)
      assert.equal(await countOf(home.url, RANGE), events.length)
      for (let n = 0; n < howMany('bits_of_a_cold_file'); n += 1) {
        const altered = Buffer.from(original)
        const at = Math.floor(random() * altered.length)
        altered[at]! ^= 1 << Math.floor(random() * 8)
        writeFileSync(path, altered)
        await assertRefused('from=2025-08-02&to=2025-08-02')
      }
      await assertOnlyItsDayFails()
      writeFileSync(path, original)
      assert.equal(await countOf(home.url, RANGE), events.length)
    })

    it('stops no post of other ids once its ids are known, and lets no replay of its own ids in', async () => {
      assert.equal((await post(`${home.url}/events`, second)).json['duplicates'], second.length)
      renameSync(path, `${path}.away`)
      await postAll(home.url, sampleEvents(21, 50, '2025-08-01', 3))
      assert.equal((await post(`${home.url}/events`, others)).json['duplicates'], others.length)
      assert.equal((await post(`${home.url}/events`, second)).status, 503)
      renameSync(`${path}.away`, path)
      assert.equal((await post(`${home.url}/events`, second)).json['duplicates'], second.length)
      assert.equal(await countOf(home.url, RANGE), events.length + 50)
    })
  })

  describe('over a restart', () => {
    beforeEach(copyStore)
    afterEach(() => home.remove())

    it('stops no post of other ids after a restart either, and lets no replay of its own ids in', async () => {
      renameSync(path, `${path}.away`)
      await home.start()
      await assertOnlyItsDayFails()
      assert.equal((await post(`${home.url}/events`, second)).json['type'], '/problems/store_unavailable')
      await postAll(home.url, sampleEvents(23, 50, '2025-08-04', 1))
      renameSync(`${path}.away`, path)
      assert.equal((await post(`${home.url}/events`, second)).json['duplicates'], second.length)
      assert.equal(await countOf(home.url, RANGE), events.length + 50)
    })

    it('refuses posts after a restart if the index is missing too, because nobody knows its ids', async () => {
      renameSync(path, `${path}.away`)
      rmSync(home.layout.ids, { recursive: true })
      await home.startUnready()
      assert.equal((await postOnceStarted(others)).json['type'], '/problems/store_unavailable')
      assert.equal((await get(`${home.url}/readyz`)).status, 503)
      await assertOnlyItsDayFails()
      await home.stop()
      renameSync(`${path}.away`, path)
      await home.start()
      assert.equal((await post(`${home.url}/events`, second)).json['duplicates'], second.length)
      assert.equal(await countOf(home.url, RANGE), events.length)
    })

    it('lets no replay in after a restart when an id in it is another', async () => {
      const altered = Buffer.from(original)
      // Within the first column chunk: ids are random and so are kept as they are, and one of them becomes another valid id.
      altered[1_000]! ^= 1
      writeFileSync(path, altered)
      await home.startUnready()
      assert.equal((await postOnceStarted(second)).json['type'], '/problems/store_unavailable')
      await assertOnlyItsDayFails()
    })

    it('is refused by a merge and at the start when its rows are not what the catalog says', async () => {
      for (let n = 0; n < 4; n += 1) await home.importCsv(toCsv(sampleEvents(30 + n, 20, '2025-08-02', 1)))
      const listed = path.slice(home.layout.cold.length + 1)
      const setRows = (change: number) =>
        home.inSqlite((db) =>
          db.prepare('UPDATE cold_files SET rows = rows + ? WHERE path = ?').run(change, listed),
        )
      setRows(1)
      await assert.rejects(home.compact(), VerifyError)
      assert.equal(home.listed().filter((name) => name.startsWith('day=2025-08-02')).length, 5)
      await home.startUnready()
      assert.equal((await postOnceStarted(others)).json['type'], '/problems/store_unavailable')
      await home.stop()
      setRows(-1)
      await home.start()
      assert.equal((await home.compact()).merged_files, 5)
      assert.equal(await countOf(home.url, RANGE), events.length + 80)
      assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    })
  })
})
