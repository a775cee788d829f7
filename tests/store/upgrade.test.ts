import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import Database from 'better-sqlite3'
import { writeLetter } from '../../src/dead-letters/letter.ts'
import { listLetters, openShelf, sizeOfShelf } from '../../src/dead-letters/shelf.ts'
import { MIGRATIONS } from '../../src/store/schema.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { insertEvent, sampleEvents } from '../support/sample.ts'
import { get, post } from '../support/store.ts'
import { damageOf } from '../support/verifying.ts'

/** Makes a store as an older version left it. */
function openOld({ layout }: InProcessStore, version: number): Database.Database {
  const db = new Database(layout.database)
  for (const step of MIGRATIONS.slice(0, version)) db.exec(step)
  db.pragma(`user_version = ${version}`)
  return db
}

describe('a store whose hot rows have a unique index', () => {
  const events = sampleEvents(1, 200)
  const left = events.slice(0, 150)
  const home = createInProcessStore()
  before(() => {
    const db = openOld(home, 5)
    for (const event of events) insertEvent(db, event)
    // The newest rows have gone to cold, as far as this test needs it.
    db.exec(`DELETE FROM events WHERE seq > ${left.length}`)
    db.close()
  })
  after(() => home.remove())

  it('keeps every row and its seq, knows its ids, and gives no seq again', async () => {
    await home.start()
    const again = await post(`${home.url}/events`, left)
    assert.deepEqual([again.json['accepted'], again.json['duplicates']], [0, left.length])
    const more = await post(`${home.url}/events`, sampleEvents(2, 10))
    assert.equal(more.json['accepted'], 10)
    const { json } = await get<{ meta: { hot_events: number } }>(
      `${home.url}/stats/dau?from=2025-08-01&to=2025-08-10`,
    )
    assert.equal(json.meta.hot_events, left.length + 10)
    await home.stop()
    const db = new Database(home.layout.database, { readonly: true })
    const seqs = db.prepare('SELECT seq FROM events ORDER BY seq').pluck().all()
    const first = events.length + 1
    db.close()
    assert.deepEqual(seqs, [...left.map((_, n) => n + 1), ...Array.from({ length: 10 }, (_, n) => first + n)])
    assert.deepEqual(await damageOf(home.layout, false), [])
  })
})

describe('a store whose dead letters are not counted by source', () => {
  const home = createInProcessStore()
  after(() => home.remove())

  it('keeps every letter and its id, counts them, and gives no id again', () => {
    const old = openOld(home, 6)
    const insert = old.prepare(
      `INSERT INTO dead_letters (received_at, source, path, message, event_id, is_cut, bytes, bytes_before, body)
       VALUES (?, ?, 'user_id', 'is missing', NULL, 0, 3, ?, '"x"')`,
    )
    for (const [n, source] of ['a', 'b', 'a', 'b', 'a', 'c'].entries()) insert.run(n, source, n * 3)
    old.exec('DELETE FROM dead_letters WHERE id IN (2, 6)')
    old.close()
    const db = openStore(home.layout.database)
    const letters = listLetters(db, { limit: 10 })
    assert.deepEqual(
      letters.map(({ id, source, received_at, path, events_omitted }) => [
        id,
        source,
        received_at,
        path,
        events_omitted,
      ]),
      [
        [5, 'a', 4, 'user_id', 0],
        [4, 'b', 3, 'user_id', 0],
        [3, 'a', 2, 'user_id', 0],
        [1, 'a', 0, 'user_id', 0],
      ],
    )
    assert.deepEqual(sizeOfShelf(db), { letters: 4, bytes: 12 })
    assert.deepEqual(db.prepare('SELECT * FROM dead_letter_sources').raw().all(), [
      ['a', 3, 9],
      ['b', 1, 3],
    ])
    const shelf = openShelf(db, { letters_max: 4, bytes_max: 1_000, age_max_days: 1 })
    shelf.put([writeLetter({}, null, { path: '', message: 'wrong' })], 'c', 4)
    assert.deepEqual(
      listLetters(db, { limit: 10 }).map(({ id }) => id),
      [7, 5, 4, 3],
    )
    db.close()
  })
})
