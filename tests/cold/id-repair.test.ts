import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { fingerprint, formatEventId } from '../../src/event/id.ts'
import { isComplete } from '../../src/cold/id-index.ts'
import { readCatalog } from '../../src/store/catalog.ts'
import { openLayout } from '../../src/store/layout.ts'
import { BUSY, tryColdLock } from '../../src/store/lock.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { createTestStore, post, untilReady } from '../support/store.ts'
import { visibleIds } from '../support/visible.ts'

/** Of the service and the compaction, how many repair each damage. */
const REPAIRERS = howMany('repairs_of_an_index')
const KILLS = howMany('kills_while_an_index_is_made')

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

/** The finalizer of MurmurHash3, of which a fingerprint is made. */
function mix(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** An event with another id of the same upper 48 bits of fingerprint, which is all that the index knows of an id. */
function twinOf(event: SampleEvent): SampleEvent {
  const id = Buffer.from(event.event_id.replaceAll('-', ''), 'hex')
  const words = [0, 4, 8, 12].map((at) => id.readInt32BE(at)) as [number, number, number, number]
  const [w0, w1, w2, w3] = words
  const mixed = (word3: number) => mix(mix(mix(word3 ^ 0x9e3779b9) ^ w2) ^ w1)
  const wanted = fingerprint(...words)
  // Whatever the last word is, one first word brings the high half back; one in 65,536 of these pairs has the bits of the low half too.
  for (let last = w3 + 1; ; last += 1) {
    const first = mixed(last) ^ mixed(w3) ^ w0
    const found = fingerprint(first, w1, w2, last)
    if (found.high !== wanted.high || ((found.low ^ wanted.low) & 0xffff0000) !== 0) continue
    id.writeInt32BE(first, 0)
    id.writeInt32BE(last | 0, 12)
    return { ...event, event_id: formatEventId(id) }
  }
}

describe('the index of cold ids', () => {
  let filled: InProcessStore
  let home: InProcessStore
  before(async () => {
    filled = createInProcessStore()
    await filled.start()
    for (const events of EVENTS) {
      await post(`${filled.url}/events`, events)
      await filled.compact()
    }
    await filled.stop()
  })
  after(() => filled.remove())

  const segmentsOf = () => home.inSqlite((db) => readCatalog(db).segments.map(({ path }) => path))
  const pathOf = (name: string) => join(home.layout.ids, name)

  async function assertKnowsAll(): Promise<void> {
    const earlier = await visibleIds(home.layout)
    for (const events of [COLD, elsewhere(COLD)]) {
      const { json } = await post(`${home.url}/events`, events)
      assert.deepEqual([json['accepted'], json['duplicates']], [0, COLD.length])
    }
    assert.deepEqual(await visibleIds(home.layout), earlier)
  }

  function assertWhole(): void {
    const { files, segments } = home.inSqlite(readCatalog)
    assert.ok(isComplete(files, segments))
    assert.deepEqual(readdirSync(home.layout.ids).toSorted(), segments.map(({ path }) => path).toSorted())
  }

  const DAMAGES: Record<string, () => void> = {
    'a segment is missing': () => rmSync(pathOf(segmentsOf()[0]!)),
    'the folder of segments is missing': () => rmSync(home.layout.ids, { recursive: true }),
    'a segment is cut short': () => truncateSync(pathOf(segmentsOf()[0]!), 800),
    'a segment is empty': () => truncateSync(pathOf(segmentsOf()[0]!), 0),
    'a single bit of a segment is another': () => {
      const path = pathOf(segmentsOf()[0]!)
      const bytes = readFileSync(path)
      // Of a fingerprint: its id would be taken for new.
      bytes[4_003]! ^= 4
      writeFileSync(path, bytes)
    },
    'the catalog has lost a segment, or comes from a program that made none': () =>
      home.inSqlite((db) => db.exec('DELETE FROM id_segments')),
  }
  // Which of the two repairs what: both everything in the long form, every other damage in the short one.
  const damagesOf = (half: number) =>
    Object.entries(DAMAGES).filter((_, n) => REPAIRERS === 2 || n % 2 === half)

  describe('while a service runs', () => {
    before(() => {
      home = createInProcessStore(filled)
      return home.start()
    })
    after(() => home.remove())

    it('is one small file after compactions, merges and imports, and needs no repair in normal life', async () => {
      await home.importCsv(toCsv(sampleEvents(4, 50, '2025-08-09', 2)))
      const earlier = segmentsOf()
      assert.equal(before.length, 2)
      await assertKnowsAll()
      assert.deepEqual(segmentsOf(), earlier)
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

    it('takes an id for new that it cannot tell from a cold one, and the cold one for a duplicate', async () => {
      const earlier = await visibleIds(home.layout)
      const cold = COLD[42]!
      const twin = twinOf(cold)
      const same = await post(`${home.url}/events`, [cold, twin, { ...twin, user_id: 'second' }])
      assert.deepEqual([same.json['accepted'], same.json['duplicates']], [1, 2])
      // Both in cold, and each is known.
      await home.compact()
      const again = await post(`${home.url}/events`, elsewhere([cold, twin]))
      assert.deepEqual([again.json['accepted'], again.json['duplicates']], [0, 2])
      assert.equal((await visibleIds(home.layout)).length, earlier.length + 1)
    })

    for (const [what, damage] of damagesOf(1)) {
      it(`is made anew by a compaction when ${what}`, async () => {
        const earlier = segmentsOf()
        damage()
        await importAndCompact()
        assert.notDeepEqual(segmentsOf(), earlier)
        assertWhole()
        await assertKnowsAll()
      })
    }

    /** A compaction that has something to fold, so that it reads the segments. */
    let seeds = 100
    async function importAndCompact(): Promise<void> {
      // As each command does.
      openLayout(dirname(home.layout.cold))
      await home.importCsv(toCsv(sampleEvents((seeds += 1), 20, '2025-08-20', 1)))
      await home.compact()
    }

    it('is made anew by a running service when somebody writes to a segment', async () => {
      // From here on the service has it open.
      await assertKnowsAll()
      const [name] = segmentsOf()
      const bytes = readFileSync(pathOf(name!))
      for (let at = 2; at < bytes.length; at += 8) bytes[at]! ^= 255
      writeFileSync(pathOf(name!), bytes)
      await assertKnowsAll()
      assert.ok(!segmentsOf().includes(name!))
      await home.compact()
      assertWhole()
    })

    const processes = createTestStore()
    after(() => processes.remove())

    for (const step of ['ids_staged', 'applied', 'committed', 'ids_placed', 'ids_synced'].slice(0, KILLS)) {
      it(`killed at index.${step} while it is made anew, is whole after the next run`, async () => {
        rmSync(home.layout.ids, { recursive: true })
        const { code } = await processes.cli(['compact'], {
          DATA_DIR: dirname(home.layout.cold),
          FROSTLINE_FAILPOINT: `index.${step}`,
        })
        assert.equal(code, null)
        await home.compact()
        assertWhole()
        await assertKnowsAll()
      })
    }
  })

  describe('where no service runs', () => {
    beforeEach(() => {
      home = createInProcessStore(filled)
    })
    afterEach(() => home.remove())

    for (const [what, damage] of damagesOf(0)) {
      it(`is made anew by a service that starts when ${what}`, async () => {
        const earlier = segmentsOf()
        damage()
        await home.start()
        assert.notDeepEqual(segmentsOf(), earlier)
        await assertKnowsAll()
        await home.compact()
        assertWhole()
      })
    }

    it('is made anew only when no compaction or import is at work', async () => {
      rmSync(home.layout.ids, { recursive: true })
      const lock = tryColdLock(home.layout)
      assert.ok(lock !== BUSY)
      const earlier = segmentsOf()
      await home.startUnready()
      const { json } = await post(`${home.url}/events`, COLD)
      assert.equal(json['type'], '/problems/not_ready')
      assert.deepEqual(segmentsOf(), earlier)
      lock.release()
      await untilReady(home.url)
      assert.notDeepEqual(segmentsOf(), earlier)
      await assertKnowsAll()
    })
  })
})
