import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { createEventSchema, judgeEvent } from '../../src/event/event.ts'
import { packEvents } from '../../src/event/batch.ts'
import { nowMicros } from '../../src/event/time.ts'
import { appendOf, storedOf, withWriter } from '../support/appends.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { countOf, get, post } from '../support/store.ts'
import { untilLogged } from '../support/log-lines.ts'

const AUGUST = 'from=2025-08-01&to=2025-08-31'
const SEPTEMBER = 'from=2025-09-01&to=2025-09-30'

describe('too little space', { timeout: HANGS_AFTER_MS }, () => {
  let free = 1024 ** 4
  const home = serveStore({ DISK_FREE_MIN_MB: '10' }, { readFreeBytes: async () => free })

  const full: ColdDisk = {
    ...realDisk,
    sync() {
      throw Object.assign(new Error('ENOSPC: no space left on device, fsync'), { code: 'ENOSPC' })
    },
  }

  it('stops a compaction or an import without a change, and the next run leaves nothing behind', async () => {
    await post(`${home.url}/events`, sampleEvents(3, 500, '2025-09-01', 2))
    const csv = toCsv(sampleEvents(4, 300, '2025-09-05', 2))
    await assert.rejects(home.compact({ disk: full }), { code: 'ENOSPC' })
    await assert.rejects(home.importCsv(csv, full), { code: 'ENOSPC' })
    assert.deepEqual(home.listed(), [])
    assert.equal(await countOf(home.url, SEPTEMBER), 500)
    assert.equal((await home.importCsv(csv)).imported, 300)
    assert.equal((await home.compact()).rows, 500)
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    assert.equal(await countOf(home.url, SEPTEMBER), 800)
  })

  it('is answered with disk_full while questions go on, and ends by itself', async () => {
    const events = sampleEvents(1, 200)
    const first = [...events.slice(0, 100), { ...events[150], user_id: '' }]
    assert.equal((await post(`${home.url}/events`, first)).status, 200)
    free = 10 * 1024 * 1024 - 1
    await untilLogged(home, ({ msg }) => String(msg).startsWith('too little free disk space'))
    let reply = await post(`${home.url}/events`, events.slice(0, 1))
    assert.equal(reply.status, 503)
    assert.equal(reply.json['type'], '/problems/disk_full')
    assert.equal(reply.headers.get('retry-after'), '30')
    assert.equal((await post(`${home.url}/events`, events)).status, 503)
    assert.equal(await countOf(home.url, AUGUST), 100)
    const ready = await get(`${home.url}/readyz`)
    assert.deepEqual(
      [ready.status, ready.json['detail']],
      [503, 'the disk has too little free space for events'],
    )
    const id = home.inSqlite((db) => db.prepare('SELECT id FROM dead_letters').pluck().get())
    const replay = await post(`${home.url}/dead-letters/${id}/replay`, events[150])
    assert.deepEqual([replay.status, replay.json['type']], [503, '/problems/disk_full'])
    free += 1
    await untilLogged(home, ({ msg }) => String(msg).startsWith('enough free disk space'))
    reply = await post(`${home.url}/events`, events)
    assert.equal(reply.json['accepted'], 100)
    assert.equal(await countOf(home.url, AUGUST), 200)
  })

  it('in the middle of a commit stores nothing of it, and the same writer goes on afterwards', async (t) => {
    const schema = createEventSchema(nowMicros)
    const batch = packEvents(
      sampleEvents(2, 5_000).map((event) => {
        const verdict = judgeEvent(schema, event)
        assert.ok('event' in verdict)
        return verdict.event
      }),
    )
    const other = createInProcessStore()
    t.after(() => other.remove())
    await withWriter(other.layout, async (writer, db) => {
      // A limit of SQLite's own: it fails with the very error of a full disk.
      const pages = db.pragma('page_count', { simple: true }) as number
      db.pragma(`max_page_count = ${pages + 5}`)
      await assert.rejects(writer.commit([appendOf(batch)]), { code: 'SQLITE_FULL' })
      const stored = () => db.prepare('SELECT count(*) FROM events').pluck().get()
      assert.deepEqual([db.inTransaction, stored()], [false, 0])
      db.pragma('max_page_count = 1000000')
      const [result] = await writer.commit([appendOf(batch)])
      assert.deepEqual([storedOf(result!), stored()], [{ accepted: 5_000, duplicates: 0 }, 5_000])
    })
  })
})
