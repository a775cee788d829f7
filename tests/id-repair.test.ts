import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { isComplete } from '../src/cold/id-index.ts'
import { readCatalog } from '../src/cold/catalog.ts'
import { openLayout } from '../src/layout.ts'
import { BUSY, tryColdLock } from '../src/cold/lock.ts'
import { createInProcessStore } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import { sampleEvents, toCsv } from './sample.ts'
import type { SampleEvent } from './sample.ts'
import { createTestStore, post, untilReady } from './store.ts'
import { visibleIds } from './visible.ts'

/** Three days in cold, the first in three files. */
const EVENTS = [
  sampleEvents(1, 600, '2025-08-01', 3),
  sampleEvents(2, 100, '2025-08-01', 1),
  sampleEvents(3, 100, '2025-08-01', 1),
]
const COLD = EVENTS.flat()

/** The same ids under another day and user: only the id makes a duplicate. */
const elsewhere = (events: readonly SampleEvent[]) =>
  events.map((event) => ({ ...event, occurred_at: '2025-07-01T00:00:00Z', user_id: 'somebody-else' }))

describe('the index of cold ids', () => {
  let home: InProcessStore
  beforeEach(async () => {
    home = createInProcessStore()
    await home.start()
    for (const events of EVENTS) {
      await post(`${home.url}/events`, events)
      await home.compact()
    }
  })
  afterEach(() => home.remove())

  const segmentsOf = () => home.inSqlite((db) => readCatalog(db).segments.map(({ path }) => path))
  const pathOf = (name: string) => join(home.layout.ids, name)

  async function assertKnowsAll(): Promise<void> {
    const before = await visibleIds(home.layout)
    for (const events of [COLD, elsewhere(COLD)]) {
      const { json } = await post(`${home.url}/events`, events)
      assert.deepEqual([json['accepted'], json['duplicates']], [0, COLD.length])
    }
    assert.deepEqual(await visibleIds(home.layout), before)
  }

  function assertWhole(): void {
    const { files, segments } = home.inSqlite(readCatalog)
    assert.ok(isComplete(files, segments))
    assert.deepEqual(readdirSync(home.layout.ids).toSorted(), segments.map(({ path }) => path).toSorted())
  }

  it('is one small file after compactions, merges and imports, and needs no repair in normal life', async () => {
    await home.importCsv(toCsv(sampleEvents(4, 50, '2025-08-09', 2)))
    const before = segmentsOf()
    assert.equal(before.length, 2)
    await assertKnowsAll()
    assert.deepEqual(segmentsOf(), before)
    await home.compact()
    assert.equal(segmentsOf().length, 1)
    assertWhole()
    const [kept] = segmentsOf()
    await home.stop()
    await home.start()
    await home.compact()
    assert.deepEqual(segmentsOf(), [kept])
    await assertKnowsAll()
  })

  const DAMAGES: Record<string, () => void> = {
    'a segment is missing': () => rmSync(pathOf(segmentsOf()[0]!)),
    'the folder of segments is missing': () => rmSync(home.layout.ids, { recursive: true }),
    'a segment is cut short': () => truncateSync(pathOf(segmentsOf()[0]!), 800),
    'a segment is empty': () => truncateSync(pathOf(segmentsOf()[0]!), 0),
    'a single bit of a segment is another': () => {
      const path = pathOf(segmentsOf()[0]!)
      const bytes = readFileSync(path)
      bytes[4_001]! ^= 4
      writeFileSync(path, bytes)
    },
    'the catalog has lost a segment, or comes from a program that made none': () =>
      home.inSqlite((db) => db.exec('DELETE FROM id_segments')),
  }
  for (const [what, damage] of Object.entries(DAMAGES)) {
    it(`is made anew by a service that starts when ${what}`, async () => {
      await home.stop()
      const before = segmentsOf()
      damage()
      await home.start()
      assert.notDeepEqual(segmentsOf(), before)
      await assertKnowsAll()
      await home.compact()
      assertWhole()
    })

    it(`is made anew by a compaction when ${what}`, async () => {
      await home.stop()
      const before = segmentsOf()
      damage()
      await importAndCompact()
      assert.notDeepEqual(segmentsOf(), before)
      assertWhole()
      await home.start()
      await assertKnowsAll()
    })
  }

  /** A compaction that has something to fold, so that it reads the segments. */
  async function importAndCompact(): Promise<void> {
    // As each command does.
    openLayout(dirname(home.layout.cold))
    await home.importCsv(toCsv(sampleEvents(5, 20, '2025-08-20', 1)))
    await home.compact()
  }

  it('is made anew by a running service when somebody writes to a segment', async () => {
    const [name] = segmentsOf()
    const bytes = readFileSync(pathOf(name!))
    for (let at = 2; at < bytes.length; at += 8) bytes[at]! ^= 255
    writeFileSync(pathOf(name!), bytes)
    await assertKnowsAll()
    assert.ok(!segmentsOf().includes(name!))
    await home.compact()
    assertWhole()
  })

  it('is made anew only when no compaction or import is at work', async () => {
    await home.stop()
    rmSync(home.layout.ids, { recursive: true })
    const lock = tryColdLock(home.layout)
    assert.ok(lock !== BUSY)
    const before = segmentsOf()
    await home.startUnready()
    const { json } = await post(`${home.url}/events`, COLD)
    assert.equal(json['type'], '/problems/not_ready')
    assert.deepEqual(segmentsOf(), before)
    lock.release()
    await untilReady(home.url)
    assert.notDeepEqual(segmentsOf(), before)
    await assertKnowsAll()
  })

  describe('killed while it is made anew', () => {
    const processes = createTestStore()
    after(() => processes.remove())

    for (const step of ['ids_staged', 'ids_synced', 'ids_placed', 'applied', 'committed']) {
      it(`at index.${step}, is whole after the next run`, async () => {
        await home.stop()
        rmSync(home.layout.ids, { recursive: true })
        const { code } = await processes.cli(['compact'], {
          DATA_DIR: dirname(home.layout.cold),
          FROSTLINE_FAILPOINT: `index.${step}`,
        })
        assert.equal(code, null)
        await home.compact()
        assertWhole()
        await home.start()
        await assertKnowsAll()
      })
    }
  })
})
