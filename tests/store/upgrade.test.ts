import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import Database from 'better-sqlite3'
import { MIGRATIONS } from '../../src/store/schema.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { insertEvent, sampleEvents } from '../support/sample.ts'
import { get, post } from '../support/store.ts'
import { damageOf } from '../support/verifying.ts'

/** The last version with a unique index of event ids. */
const VERSION = 5

describe('a store whose hot rows have a unique index', () => {
  const events = sampleEvents(1, 200)
  const left = events.slice(0, 150)
  const home = createInProcessStore()
  before(() => {
    const db = new Database(home.layout.database)
    for (const step of MIGRATIONS.slice(0, VERSION)) db.exec(step)
    db.pragma(`user_version = ${VERSION}`)
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
