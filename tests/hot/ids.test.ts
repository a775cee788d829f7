import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { ID_BYTES } from '../../src/event/id.ts'
import { IdTable } from '../../src/hot/id-table.ts'
import { openHotIds } from '../../src/hot/ids.ts'
import { howMany } from '../support/counts.ts'
import { createStoreFile } from '../support/store-file.ts'

/** The id with this number: the first is the nil UUID. */
function idOf(n: number): Buffer {
  const id = Buffer.alloc(ID_BYTES)
  id.writeUInt32BE(n, ID_BYTES - 4)
  return id
}
const viewOf = (id: Buffer) => new DataView(id.buffer, id.byteOffset, ID_BYTES)

describe('a table of ids', () => {
  it('says of each id whether it was there, in whichever of its words it differs', () => {
    const table = new IdTable(64)
    const words = [0, 1, -1, 2 ** 31 - 1]
    const ids = words.flatMap((a) => words.flatMap((b) => words.map((c) => [a, b, c, a ^ b] as const)))
    table.reserve(ids.length)
    for (const id of ids) assert.equal(table.take(...id), true, String(id))
    for (const id of ids) assert.equal(table.take(...id), false, String(id))
    for (const [a, b, c, d] of ids) assert.equal(table.has(a, b, c, d), true)
    assert.equal(table.has(3, 0, 0, 0), false)
    assert.equal(table.count, ids.length)
  })

  // Fewer than come, so that it grows beyond them; and more, so that it takes all of its room early or never.
  for (const capacity of [1, 10_000, 25_000, 500_000]) {
    it(`keeps every id while it grows, and gives back those that were not kept: 20,000 where ${capacity} are expected`, () => {
      const table = new IdTable(capacity)
      const takeAll = (from: number, to: number) => {
        table.reserve(to - from)
        for (let n = from; n < to; n += 1) assert.equal(table.take(0, 0, 0, n), true)
      }
      for (let n = 0; n < 20_000; n += 1_000) {
        takeAll(n, n + 1_000)
        table.keep()
        takeAll(1_000_000, 1_000_000 + 700)
        table.forget()
      }
      assert.equal(table.count, 20_000)
      for (let n = 0; n < 20_000; n += 1) assert.equal(table.has(0, 0, 0, n), true)
      for (let n = 0; n < 700; n += 1) assert.equal(table.has(0, 0, 0, 1_000_000 + n), false)
    })
  }
})

describe('the ids of the hot tier', () => {
  const store = createStoreFile()
  const { db } = store
  let insert: (id: Buffer) => void
  before(() => {
    const row = db.prepare(
      `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, 0, 'u', 't', '{}')`,
    )
    insert = (id) => void row.run(id)
  })
  beforeEach(() => db.exec('DELETE FROM events'))
  after(() => store.remove())

  const FEW = 16
  const someIds = fc.array(fc.nat(60), { maxLength: 10 })
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom('commit', 'roll back', 'by somebody else'), ids: someIds }),
      fc.record({ kind: fc.constant('collect'), ids: fc.constant([]) }),
    ),
    { maxLength: 30 },
  )

  it('are those of the rows, whoever stored them, and of none that was rolled back', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        db.exec('DELETE FROM events')
        const ids = openHotIds(db, FEW)
        ids.catchUp()
        const stored = new Set<number>()
        const collected = new Set<number>()
        for (const { kind, ids: numbers } of taken) {
          if (kind === 'by somebody else') {
            for (const n of new Set(numbers)) if (!stored.has(n) && !collected.has(n)) insert(idOf(n))
            for (const n of numbers) if (!collected.has(n)) stored.add(n)
          } else if (kind === 'collect') {
            // The older half of the rows goes; its ids may be remembered or not.
            db.exec(
              'DELETE FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT (SELECT count(*) / 2 FROM events))',
            )
            const left = new Set(
              (db.prepare('SELECT event_id FROM events').pluck().all() as Buffer[]).map((id) =>
                id.readUInt32BE(12),
              ),
            )
            for (const n of stored) if (!left.has(n)) collected.add(n)
            for (const n of collected) stored.delete(n)
          } else {
            db.exec('BEGIN IMMEDIATE')
            ids.catchUp()
            ids.begin(numbers.length)
            const now = new Set<number>()
            for (const n of numbers) {
              const is_new = ids.take(viewOf(idOf(n)), 0)
              if (!collected.has(n)) assert.equal(is_new, !stored.has(n) && !now.has(n), `${kind} ${n}`)
              if (!is_new || collected.has(n)) continue
              insert(idOf(n))
              now.add(n)
            }
            const through = db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`).pluck().get()
            if (kind === 'commit') {
              db.exec('COMMIT')
              ids.keep((through as number | undefined) ?? 0)
              for (const n of now) stored.add(n)
            } else {
              ids.forget()
              db.exec('ROLLBACK')
            }
          }
        }
      }),
      { numRuns: howMany('hot_id_sequences') },
    )
  })

  it('are forgotten once their rows are gone, so that memory follows the rows', () => {
    const ids = openHotIds(db, FEW)
    const take = (from: number, to: number) => {
      ids.begin(to - from)
      for (let n = from; n < to; n += 1) {
        assert.equal(ids.take(viewOf(idOf(n)), 0), true)
        insert(idOf(n))
      }
      ids.keep(db.prepare('SELECT max(seq) FROM events').pluck().get() as number)
    }
    ids.catchUp()
    for (let n = 0; n < 10 * FEW; n += FEW) take(n, n + FEW)
    assert.equal(ids.count, 10 * FEW)
    db.exec(`DELETE FROM events WHERE seq < (SELECT max(seq) FROM events) - 1`)
    take(1_000, 1_000 + FEW)
    assert.equal(ids.count, 2 * FEW)
    // Those whose rows are left are still known.
    for (const n of [10 * FEW - 1, 10 * FEW - 2]) assert.equal(ids.take(viewOf(idOf(n)), 0), false)
  })

  it('of a page and one more row are all read', () => {
    const rows = 50_001
    db.transaction(() => {
      for (let n = 0; n < rows; n += 1) insert(idOf(n))
    })()
    const ids = openHotIds(db)
    ids.catchUp()
    assert.equal(ids.count, rows)
    assert.equal(ids.take(viewOf(idOf(rows - 1)), 0), false)
  })
})
