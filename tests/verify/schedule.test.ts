import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { createLogger } from '../../src/process/log.ts'
import type { Logger } from '../../src/process/log.ts'
import { DAMAGE_KEPT_MAX, readReport, startVerifySchedule } from '../../src/verify/schedule.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'

const INTERVAL_S = 60

describe('the schedule of checks', { timeout: HANGS_AFTER_MS }, () => {
  let home: InProcessStore
  beforeEach(() => {
    home = createInProcessStore()
    home.inSqlite(() => {})
  })
  afterEach(() => home.remove())

  /** A schedule whose clock the test owns, and what it tells. The checks are real. */
  function start(t: TestContext) {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const told: string[] = []
    const lines = new EventEmitter()
    const hear = (...line: [unknown, string?]) => {
      told.push(line.findLast((part) => typeof part === 'string') as string)
      lines.emit('told')
    }
    const log = { error: hear, info: hear } as unknown as Logger
    const schedule = startVerifySchedule({
      interval_s: INTERVAL_S,
      data_dir: dirname(home.layout.database),
      log,
    })
    t.after(() => schedule.stop())
    return {
      schedule,
      told,
      /** Lets the time of one check come, and waits until it has told something. */
      async check() {
        const telling = once(lines, 'told')
        t.mock.timers.tick(INTERVAL_S * 1_000)
        await telling
      },
    }
  }

  /** Lists files that are not there, so that each of them is a finding. */
  const listMissing = (count: number) =>
    home.inSqlite((db) => {
      db.exec('INSERT INTO cold_days (day, sealed_through, generation) VALUES (0, 0, 0)')
      const list = db.prepare(
        `INSERT INTO cold_files (path, day, rows, bytes, min_ts, max_ts, checksum, id_digest, origin)
         VALUES (?, 0, 0, 1, 0, 0, '', '0000000000000000', 'import')`,
      )
      for (let n = 0; n < count; n += 1) list.run(`day=1970-01-01/${n}.parquet`)
    })

  it('keeps so many findings and no more, and says once that the store is whole again', async (t) => {
    const { schedule, told, check } = start(t)
    listMissing(DAMAGE_KEPT_MAX + 1)
    await check()
    assert.equal(schedule.damage.length, DAMAGE_KEPT_MAX)
    assert.deepEqual(told, Array(DAMAGE_KEPT_MAX).fill('the store is damaged'))
    home.inSqlite((db) => db.exec('DELETE FROM cold_files; DELETE FROM cold_days'))
    await check()
    assert.deepEqual(schedule.damage, [])
    assert.deepEqual(told.slice(DAMAGE_KEPT_MAX), ['the store is no longer damaged'])
  })

  it('says that a check did not end, and keeps what was found before', async (t) => {
    const { schedule, told, check } = start(t)
    listMissing(1)
    await check()
    const before = schedule.damage
    assert.equal(before.length, 1)
    rmSync(home.layout.database)
    await check()
    assert.match(told.at(-1)!, /^the check of the store failed/)
    assert.deepEqual(schedule.damage, before)
  })

  it('has no clock where the interval is 0', async (t) => {
    const { mock } = t.mock.method(globalThis, 'setInterval')
    const data_dir = dirname(home.layout.database)
    const log = createLogger('silent')
    await startVerifySchedule({ interval_s: 0, data_dir, log }).stop()
    assert.equal(mock.callCount(), 0)
    await startVerifySchedule({ interval_s: INTERVAL_S, data_dir, log }).stop()
    assert.equal(mock.callCount(), 1)
  })
})

describe('the report of a check', () => {
  const damage = [{ path: 'day=1970-01-01/1.parquet', day: '1970-01-01', what: 'is missing' }]
  const text = JSON.stringify({ damage })

  it('is read up to its limit; a larger one is damage too, and not read to its end', async () => {
    assert.deepEqual(await readReport(Readable.from([Buffer.from(text)]), text.length), damage)
    let read = 0
    function* endless() {
      for (;;) {
        read += 1
        yield Buffer.from(text)
      }
    }
    const [finding, ...others] = (await readReport(Readable.from(endless()), text.length * 3)) ?? []
    assert.match(finding!.what, /more damage than a report holds/)
    assert.equal(others.length, 0)
    assert.ok(read < 100, `${read} pieces`)
    assert.equal(await readReport(Readable.from([Buffer.from('no report')]), 100), null)
  })
})
