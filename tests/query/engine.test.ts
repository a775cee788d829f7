import assert from 'node:assert/strict'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { applyChange, readCatalog } from '../../src/store/catalog.ts'
import { openEngine } from '../../src/query/engine.ts'
import type { Engine } from '../../src/query/engine.ts'
import { openStoreForReading } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { askedFor } from '../support/asked.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { insertEvent, sampleEvents } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'

describe('the query engine', () => {
  const question = askedFor('top-events', {
    from: '2025-08-01',
    to: '2025-08-01',
    limit: '100',
    where: 'user_id exists',
  })
  let home: InProcessStore
  let db: Sqlite
  let engine: Engine
  before(async () => {
    home = createInProcessStore()
    store(sampleEvents(1, 500, '2025-08-01', 1))
    await home.compact()
    db = openStoreForReading(home.layout.database)
    engine = await openEngine(db, home.layout, { threads: 1, memory_mb: 256 })
  })
  after(async () => {
    await engine.close()
    db.close()
    await home.remove()
  })

  const store = (events: readonly SampleEvent[]) =>
    home.inSqlite((writing) =>
      writing.transaction(() => {
        for (const event of events) insertEvent(writing, event)
      })(),
    )

  async function count(signal = new AbortController().signal): Promise<number> {
    const { rows } = await engine.ask(question, signal)
    return rows.reduce((n, row) => n + Number(row[1]), 0)
  }

  /** Replaces the day's file by a copy under another name and deletes it at once, as a merge without grace does. */
  function replaceFile(): void {
    const [old] = readCatalog(db).files
    const copy = { ...old!, path: old!.path.replace('.parquet', '-copy.parquet') }
    copyFileSync(join(home.layout.cold, old!.path), join(home.layout.cold, copy.path))
    home.inSqlite((writing) =>
      writing
        .transaction(() => applyChange(writing, { add: [copy], remove: [old!.path], seal: [], at_us: 0 }))
        .immediate(),
    )
    rmSync(join(home.layout.cold, old!.path))
  }

  it('asks again when a merge has replaced and deleted a file under a question', async () => {
    assert.equal(await count(), 500)
    const { signal } = new AbortController()
    let looks = 0
    // The engine looks at its signal between taking the catalog and opening the files.
    signal.throwIfAborted = () => {
      looks += 1
      if (looks === 2) replaceFile()
    }
    assert.equal(await count(signal), 500)
    assert.ok(looks > 3, 'it has asked twice')
  })

  it('reads a file that has no sets, and gives the same answer', async () => {
    const all = askedFor('dau', { from: '2025-08-01', to: '2025-08-01' })
    const ask = () => engine.ask(all, new AbortController().signal)
    const read = await ask()
    assert.equal(read.answered_from, 'events', 'the copy has none')
    await home.compact()
    const counted = await ask()
    assert.equal(counted.answered_from, 'sets')
    assert.deepEqual(counted.rows, read.rows)
    home.inSqlite((writing) => writing.exec('UPDATE file_sets SET uids = zeroblob(length(uids))'))
    const other = await openEngine(db, home.layout, { threads: 1, memory_mb: 256 })
    const again = await other.ask(
      askedFor('stickiness', { from: '2025-08-01', to: '2025-08-01' }),
      new AbortController().signal,
    )
    assert.equal(again.answered_from, 'events', 'a damaged set is not believed')
    await other.close()
    // Nor are counts, with which it needs no set.
    home.inSqlite((writing) => writing.exec('UPDATE file_sets SET users = users + 1'))
    const third = await openEngine(db, home.layout, { threads: 1, memory_mb: 256 })
    const last = await third.ask(all, new AbortController().signal)
    assert.deepEqual([last.answered_from, last.rows], ['events', read.rows])
    await third.close()
  })

  it('stops with the reason of its signal, and answers the next question', async () => {
    const gone = new AbortController()
    gone.abort(new Error('the client has left'))
    await assert.rejects(engine.ask(question, gone.signal), /the client has left/)
    assert.equal(await count(), 500)
  })

  it('closes only when a catch-up under way has ended', async () => {
    store(sampleEvents(2, 5_000, '2025-08-02', 1))
    const other = await openEngine(db, home.layout, { threads: 1, memory_mb: 256 })
    let caught_up = false
    const catchingUp = other.catchUp().then(() => {
      caught_up = true
    })
    await other.close()
    assert.ok(caught_up, 'the connection was freed under it')
    await catchingUp
  })

  it('says how much it read of each tier', async () => {
    const { hot_events, cold_events, cold_files } = await engine.ask(question, new AbortController().signal)
    assert.deepEqual(
      { hot_events, cold_events, cold_files },
      { hot_events: 0, cold_events: 500, cold_files: 1 },
    )
  })
})
