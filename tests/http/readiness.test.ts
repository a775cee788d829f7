import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import Database from 'better-sqlite3'
import { FAILED_COMMIT_MS, findObstacles } from '../../src/http/readiness.ts'
import { BUSY, tryColdLock } from '../../src/store/lock.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { get, post } from '../support/store.ts'

/** Of a service of which nothing is wrong but that its last commit failed so long ago. */
const sources = (failed_ms: number) => ({
  draining: false,
  eventStore: { ready: true, repairing: false, waiting_ms: 0, failed_ms },
  query: { ready: true },
  space: { full: false },
  watch: { gone: false, locked_ms: 0 },
  stuck_ms: 1,
})

describe('readiness', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore({ WRITE_STUCK_TIMEOUT_MS: '100' })

  /** Asks until the answer has this status. @returns the reasons */
  async function untilStatus(status: number): Promise<string> {
    for (;;) {
      const reply = await get(`${home.url}/readyz`)
      if (reply.status === status) return String(reply.json['detail'] ?? '')
      await new Promise((resolve) => {
        setTimeout(resolve, 20)
      })
    }
  }

  it('ends while another process holds the write lock for too long, and returns', async () => {
    const db = new Database(home.layout.database)
    db.exec('BEGIN IMMEDIATE')
    try {
      assert.match(await untilStatus(503), /another process has held the write lock for more than 100 ms/)
      const posted = post(`${home.url}/events`, sampleEvents(2, 1))
      for (;;) if (/events have waited for the writer/.test(await untilStatus(503))) break
      db.exec('ROLLBACK')
      assert.equal((await posted).status, 200)
    } finally {
      db.close()
    }
    await untilStatus(200)
  })

  it('ends when a commit fails, and returns with one that succeeds', async () => {
    await home.start()
    home.inSqlite((db) =>
      db.exec(`CREATE TRIGGER failing BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'broken'); END`),
    )
    assert.equal((await post(`${home.url}/events`, sampleEvents(5, 1))).status, 503)
    assert.match(await untilStatus(503), /the last commit failed, less than 10 s ago/)
    home.inSqlite((db) => db.exec('DROP TRIGGER failing'))
    assert.equal((await post(`${home.url}/events`, sampleEvents(5, 1))).status, 200)
    await untilStatus(200)
  })

  it('returns some time after a commit that failed, so that another one can be tried', () => {
    assert.equal(findObstacles(sources(FAILED_COMMIT_MS - 1)).length, 1)
    assert.deepEqual(findObstacles(sources(FAILED_COMMIT_MS)), [])
  })

  it('ends while the index of ids is damaged and a job holds the lock that its repair needs', async () => {
    await post(`${home.url}/events`, sampleEvents(3, 50, '2025-08-01', 2))
    await home.compact()
    const lock = tryColdLock(home.layout)
    assert.ok(lock !== BUSY)
    for (const name of readdirSync(home.layout.ids)) appendFileSync(join(home.layout.ids, name), 'x')
    // It waits for the repair, and the repair for the lock.
    const posted = post(`${home.url}/events`, sampleEvents(4, 1))
    assert.match(await untilStatus(503), /index of cold ids is being rebuilt/)
    lock.release()
    assert.equal((await posted).status, 200)
    await untilStatus(200)
  })

  it('ends when the folder of the store is deleted, and nothing is acknowledged from then on', async () => {
    rmSync(dirname(home.layout.database), { recursive: true })
    assert.match(await untilStatus(503), /database file was deleted or replaced/)
    const { status, json } = await post(`${home.url}/events`, sampleEvents(1, 1))
    assert.deepEqual([status, json['type']], [503, '/problems/store_unavailable'])
    assert.equal((await get(`${home.url}/livez`)).status, 200)
  })
})
