import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { beginWriting } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { createStoreFile } from '../support/store-file.ts'
import type { StoreFile } from '../support/store-file.ts'
import { ROOT } from '../support/root.ts'

/** Holds the write lock, says so, and lets go of it by itself: who waits for it blocks its thread. */
const HOLDER = `
  const db = require('better-sqlite3')(process.argv[1])
  db.exec('BEGIN IMMEDIATE')
  db.exec('UPDATE catalog SET generation = generation + 1')
  process.stdout.write('held')
  setTimeout(() => { db.exec('COMMIT'); db.close() }, 300)
`

describe('the write lock', () => {
  let store: StoreFile
  let db: Sqlite
  before(() => {
    store = createStoreFile()
    db = store.db
  })
  after(() => store.remove())

  async function held(): Promise<ChildProcess> {
    const holder = spawn(process.execPath, ['-e', HOLDER, store.path], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(holder.stdout!, 'data')
    return holder
  }

  it('is waited for as long as another process holds it, and what that has committed is seen', async () => {
    const holder = await held()
    beginWriting(db)
    assert.equal(db.inTransaction, true)
    assert.equal(db.prepare('SELECT generation FROM catalog').pluck().get(), 1)
    db.exec('COMMIT')
    if (holder.exitCode === null) await once(holder, 'exit')
    assert.equal(holder.exitCode, 0)
  })

  it('leaves the time that other statements wait as it was', () => {
    const before_ms = db.pragma('busy_timeout', { simple: true })
    assert.ok((before_ms as number) > 1_000)
    beginWriting(db)
    assert.equal(db.pragma('busy_timeout', { simple: true }), before_ms)
    db.exec('ROLLBACK')
  })

  it('is asked for once where it is not another who keeps it: any other error is told at once', (t) => {
    db.exec('BEGIN')
    const exec = t.mock.method(db, 'exec')
    assert.throws(() => beginWriting(db), { code: 'SQLITE_ERROR' })
    assert.equal(exec.mock.callCount(), 1)
    exec.mock.restore()
    db.exec('ROLLBACK')
  })
})
