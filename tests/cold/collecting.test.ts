import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { COLLECT_ROWS, collectSealedRows, daysToCollect } from '../../src/cold/sweep.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { MICROS_PER_DAY } from '../../src/event/time.ts'
import { createStoreFile } from '../support/store-file.ts'
import type { StoreFile } from '../support/store-file.ts'

const DAY = 20_000

describe('hot rows that are in cold already', () => {
  let store: StoreFile
  let db: Sqlite
  beforeEach(() => {
    store = createStoreFile()
    db = store.db
  })
  afterEach(() => store.remove())

  function insert(day: number, rows: number): void {
    db.prepare(
      `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < @rows)
       SELECT randomblob(16), @at, 'u', 't', '{}' FROM n`,
    ).run({ at: day * MICROS_PER_DAY, rows })
  }

  const seal = () =>
    db.exec(`INSERT INTO cold_days (day, sealed_through, generation) SELECT ${DAY}, max(seq), 1 FROM events`)

  for (const [rows, left] of [
    [COLLECT_ROWS - 1, [0]],
    [COLLECT_ROWS, [0]],
    [COLLECT_ROWS + 1, [1, 0]],
    [2 * COLLECT_ROWS + 1, [COLLECT_ROWS + 1, 1, 0]],
  ] as const) {
    it(`are deleted ${COLLECT_ROWS} a transaction, with time for others in between: ${rows} rows`, async () => {
      insert(DAY, rows)
      seal()
      const others = openStore(store.path)
      const count = others.prepare('SELECT count(*) FROM events').pluck()
      const seen: unknown[] = []
      const collecting = collectSealedRows(db, [DAY])
      const ended = collecting.then(() => true)
      do {
        if (count.get() !== seen.at(-1)) seen.push(count.get())
        // Another connection can write between two of its transactions.
        others.exec('UPDATE catalog SET generation = generation + 1')
      } while (!(await Promise.race([ended, setImmediate(false)])))
      others.close()
      assert.equal(await collecting, rows)
      assert.deepEqual(seen, left)
    })
  }

  it('go alone: later ones of the day stay, and those of other days', async () => {
    insert(DAY, 10)
    insert(DAY + 1, 5)
    insert(DAY, 10)
    seal()
    insert(DAY, 3)
    assert.deepEqual(daysToCollect(db), [DAY])
    assert.equal(await collectSealedRows(db, [DAY]), 20)
    assert.deepEqual(db.prepare('SELECT day, count(*) AS n FROM events GROUP BY day').all(), [
      { day: DAY, n: 3 },
      { day: DAY + 1, n: 5 },
    ])
    assert.deepEqual(daysToCollect(db), [])
  })
})
