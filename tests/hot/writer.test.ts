import assert from 'node:assert/strict'
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { readCatalog } from '../../src/store/catalog.ts'
import { ENTRY_BYTES } from '../../src/cold/id-segment.ts'
import { openColdIds } from '../../src/cold/ids.ts'
import type { ColdIds } from '../../src/cold/ids.ts'
import { packEvents } from '../../src/event/batch.ts'
import type { EventBatch } from '../../src/event/batch.ts'
import type { Append } from '../../src/ingest/event-store.ts'
import type { Event } from '../../src/event/event.ts'
import type { Stored } from '../../src/hot/writer.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { appendOf, storedOf, withWriter } from '../support/appends.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { post } from '../support/store.ts'

const asEvent = (event: SampleEvent): Event => ({
  event_id: event.event_id,
  occurred_at_us: Date.parse(event.occurred_at) * 1_000,
  user_id: String(event.user_id),
  event_type: event.event_type,
  properties: JSON.stringify(event.properties),
})

describe('a writer that was idle while its files were merged and deleted', () => {
  const files = Array.from({ length: 5 }, (_, n) => sampleEvents(n, 10, '2025-08-01', 1))
  const old = files[0]!
  const last = files[4]!
  const home = serveStore()

  it('still knows every id, in whatever order and grouping it is asked', async () => {
    for (const events of files.slice(0, 4)) {
      await post(`${home.url}/events`, events)
      await home.compact()
    }
    // Now both writers know four files, and the last events lie in hot.
    await post(`${home.url}/events`, last)
    await withWriter(home.layout, async (writer) => {
      const { merged_files, removed_files } = await home.compact()
      assert.deepEqual([merged_files, removed_files], [5, 5])
      const results = await writer.commit([
        appendOf(packEvents(last.slice(0, 5).map(asEvent))),
        appendOf(packEvents([...old, ...last.slice(5)].map(asEvent))),
      ])
      assert.deepEqual(results.map(storedOf), [
        { accepted: 0, duplicates: 5 },
        { accepted: 0, duplicates: 15 },
      ])
    })
    const { json } = await post(`${home.url}/events`, [...old, ...last])
    assert.deepEqual([json['accepted'], json['duplicates']], [0, 20])
  })
})

describe('a writer whose events are imported between its look at cold and its commit', () => {
  const events = sampleEvents(3, 20, '2025-08-01', 1)
  const home = createInProcessStore()
  after(() => home.remove())

  it('looks again, and stores none of them a second time', async () => {
    let looks = 0
    const importMeanwhile = (cold: ColdIds): ColdIds =>
      Object.assign(Object.create(cold) as ColdIds, {
        async find(batch: EventBatch) {
          const found = await cold.find(batch)
          looks += 1
          if (looks === 1) await home.importCsv(toCsv(events))
          return found
        },
      })
    await withWriter(
      home.layout,
      async (writer) => {
        const [result] = await writer.commit([appendOf(packEvents(events.map(asEvent)))])
        assert.deepEqual(storedOf(result!), { accepted: 0, duplicates: 20 })
      },
      assert.fail,
      importMeanwhile,
    )
    assert.equal(looks, 2)
  })
})

const keyed = { owner: 'a test', key: 'k', fingerprint: Buffer.from('same') }
const letter = { path: '', message: 'is wrong', event_id: null, body: '1', is_cut: false, events_omitted: 0 }

/** One request with ten events, a rejected one, and an Idempotency-Key. */
function requestOf(events: readonly Event[]): Append {
  const request = appendOf(packEvents(events))
  return { ...request, letters: [letter], keyed, judged: { ...request.judged, received: 11, rejected: 1 } }
}

/** How many rows there are that a request leaves. */
const leftIn = (home: InProcessStore) =>
  home.inSqlite((db) =>
    ['events', 'dead_letters', 'idempotency_keys'].map((table) =>
      db.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
    ),
  )

describe('a writer that dies right after a commit', () => {
  const home = createInProcessStore()
  after(() => home.remove())

  it('has left events, dead letters and the reply to the key, or nothing of them', async () => {
    await withWriter(home.layout, async (writer, db) => {
      const request = requestOf(sampleEvents(1, 10).map(asEvent))
      const left: unknown[] = []
      const exec = db.exec.bind(db)
      db.exec = (sql) => {
        if (sql === 'COMMIT') left.push(leftIn(home))
        exec(sql)
        if (sql === 'COMMIT') left.push(leftIn(home))
        return db
      }
      await writer.commit([request])
      assert.deepEqual(left, [
        [0, 0, 0],
        [10, 1, 1],
      ])
      const [again] = await writer.commit([request])
      assert.ok(again !== undefined && 'reply' in again, JSON.stringify(again))
      assert.equal(again.outcome, 'replayed')
      assert.equal(again.reply.accepted, 10)
      assert.deepEqual(leftIn(home), [10, 1, 1])
    })
  })
})

describe('a writer that cannot know the ids in cold any more', () => {
  const [a, b] = [sampleEvents(1, 20, '2025-08-01', 1), sampleEvents(2, 20, '2025-08-02', 1)]
  const replays = b.slice(0, 2).map((event) => appendOf(packEvents([asEvent(event)])))
  const sound = createInProcessStore()
  let home: InProcessStore
  before(async () => {
    await sound.importCsv(toCsv(a))
    await sound.importCsv(toCsv(b))
  })
  after(() => sound.remove())
  beforeEach(() => {
    home = createInProcessStore(sound)
  })
  afterEach(() => home.remove())

  /** Damages a segment and takes a cold file away, without which it cannot be made anew. Returns how to bring that back. */
  function damage(): () => void {
    const { segments, files } = home.inSqlite(readCatalog)
    const segment = join(home.layout.ids, segments[0]!.path)
    const bytes = readFileSync(segment)
    for (let at = 2; at < bytes.length; at += ENTRY_BYTES) bytes[at]! ^= 255
    writeFileSync(segment, bytes)
    const file = join(home.layout.cold, files[0]!.path)
    renameSync(file, `${file}.away`)
    return () => renameSync(`${file}.away`, file)
  }

  const DAMAGED: Record<string, () => Promise<void>> = {
    'that it reads': async () => {},
    'that was put together of those': async () => {
      await home.compact()
    },
  }
  for (const [which, prepare] of Object.entries(DAMAGED)) {
    it(`because of a segment ${which} stores nothing, and knows them again when all files can be read`, async () => {
      let repairs = 0
      await withWriter(
        home.layout,
        async (writer, db) => {
          await prepare()
          const bringBack = damage()
          const ids = () => db.prepare('SELECT count(*) FROM events').pluck().get()
          for (let refused = 0; refused < 2;) {
            // Until it has found the damage it knows all of them.
            const results = await writer.commit(replays).catch(() => null)
            if (results === null) refused += 1
            else for (const result of results) assert.equal(storedOf(result).duplicates, 1)
            assert.equal(ids(), 0)
          }
          assert.equal(repairs, 2)
          bringBack()
          const results = await writer.commit(replays)
          assert.deepEqual(results.map(storedOf), [
            { accepted: 0, duplicates: 1 },
            { accepted: 0, duplicates: 1 },
          ])
          assert.equal(ids(), 0)
        },
        () => {
          repairs += 1
        },
      )
    })
  }
})

describe('the ids in cold, once they are not known any more', () => {
  let home: InProcessStore
  before(async () => {
    home = createInProcessStore()
    await home.importCsv(toCsv(sampleEvents(1, 20)))
  })
  after(() => home.remove())

  it('are found new by nobody', async () => {
    const db = openStore(home.layout.database)
    const cold = await openColdIds(db, home.layout, { memory_mb: 256, onRepair() {} })
    rmSync(home.layout.cold, { recursive: true })
    truncateSync(join(home.layout.ids, readCatalog(db).segments[0]!.path), 0)
    await assert.rejects(cold.catchUp())
    await assert.rejects(cold.find(packEvents(sampleEvents(2, 1).map(asEvent))), /not available/)
    cold.close()
    db.close()
  })
})

describe('a writer that fails within a group', () => {
  const home = createInProcessStore()
  after(() => home.remove())

  it('stores none of its requests, holds no lock, and stores them when they are sent again', async () => {
    await withWriter(home.layout, async (writer) => {
      const [first, second] = [1, 2].map((seed) => sampleEvents(seed, 10).map(asEvent)) as [Event[], Event[]]
      const broken = packEvents(second)
      // SQLite ends the statement that violates a constraint, and leaves the transaction open.
      broken.times[9] = Number.NaN
      const failing = writer.commit([requestOf(first), appendOf(broken)])
      await assert.rejects(failing, { code: 'SQLITE_CONSTRAINT_NOTNULL' })
      assert.deepEqual(leftIn(home), [0, 0, 0])
      home.inSqlite((db) => db.exec('BEGIN IMMEDIATE; ROLLBACK'))
      const results = await writer.commit([appendOf(packEvents([...first, ...second]))])
      assert.deepEqual(results.map(storedOf), [{ accepted: 20, duplicates: 0 }])
      assert.deepEqual(leftIn(home), [20, 0, 0])
    })
  })
})

/** Stores the user of each event whose id is new. Returns what the request is told. */
function storeFirst(stored: Map<string, string>, batch: readonly Event[]): Stored {
  const known = stored.size
  for (const { event_id, user_id } of batch) {
    const key = event_id.replaceAll('-', '')
    if (!stored.has(key)) stored.set(key, user_id)
  }
  const accepted = stored.size - known
  return { accepted, duplicates: batch.length - accepted }
}

describe('a group of requests', () => {
  let home: InProcessStore
  beforeEach(() => {
    home = createInProcessStore()
  })
  afterEach(() => home.remove())

  it('is stored as if one came after the other: of events with one id the first, told to each request', async () => {
    // Few ids, so that there are many duplicates.
    const id = fc
      .tuple(fc.constantFrom('00000000', '00000001', '7fffffff', 'ffffffff'), fc.integer({ min: 0, max: 9 }))
      .map(([first, last]) => `${first}-0000-4000-8000-00000000000${last}`)
    const groups = fc.array(fc.array(fc.array(id, { maxLength: 6 }), { maxLength: 5 }), { maxLength: 4 })
    const stored = new Map<string, string>()
    let events = 0
    const eventWith = (event_id: string): Event => {
      events += 1
      return { event_id, occurred_at_us: 0, user_id: `user ${events}`, event_type: 't', properties: '{}' }
    }
    await fc.assert(
      fc.asyncProperty(groups, async (given) => {
        home.inSqlite((db) => db.exec('DELETE FROM events'))
        stored.clear()
        await withWriter(home.layout, async (writer, db) => {
          const read = db.prepare('SELECT lower(hex(event_id)), user_id FROM events ORDER BY 1').raw()
          for (const group of given) {
            const batches = group.map((ids) => ids.map(eventWith))
            const expected = batches.map((batch) => storeFirst(stored, batch))
            const results = await writer.commit(batches.map((batch) => appendOf(packEvents(batch))))
            assert.deepEqual(results.map(storedOf), expected)
            assert.deepEqual(read.all(), [...stored].toSorted())
          }
        })
      }),
      { numRuns: howMany('group_sequences') },
    )
  })

  it('takes of two that replay one dead letter the first', async () => {
    await withWriter(home.layout, async (writer) => {
      const [first, second] = [1, 2].map((seed) => sampleEvents(seed, 10).map(asEvent)) as [Event[], Event[]]
      await writer.commit([{ ...appendOf(packEvents([])), letters: [letter] }])
      const letter_id = home.inSqlite((db) =>
        db.prepare('SELECT id FROM dead_letters').pluck().get(),
      ) as number
      const results = await writer.commit(
        [first, second].map((events) => ({ ...appendOf(packEvents(events)), letter_id })),
      )
      assert.deepEqual(
        results.map((result) => (result instanceof Error ? result : result.outcome)),
        ['stored', 'letter_gone'],
      )
      assert.deepEqual(leftIn(home), [10, 0, 0])
    })
  })
})
