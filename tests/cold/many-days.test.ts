import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { GROUP_DAYS_MAX } from '../../src/cold/parquet.ts'
import { formatDay, parseDay } from '../../src/event/time.ts'
import { readGeneration } from '../../src/store/catalog.ts'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { idFor, insertEvent, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { get } from '../support/store.ts'

/** Whole groups, and one day more. */
const GROUPS = howMany('groups_of_days') + 1
const DAYS = GROUP_DAYS_MAX * (GROUPS - 1) + 1
const FIRST = parseDay('2024-01-01')!
const RANGE = `from=${formatDay(FIRST)}&to=${formatDay(FIRST + DAYS - 1)}`

/** So many events of each day, 1 to 3. */
const countOn = (n: number) => 1 + (n % 3)

function eventsOf(name: string): SampleEvent[] {
  return Array.from({ length: DAYS }, (_, n) =>
    Array.from({ length: countOn(n) }, (__, i) => ({
      event_id: idFor(`${name} ${n} ${i}`),
      occurred_at: `${formatDay(FIRST + n)}T10:00:00.000Z`,
      user_id: `${name} ${i}`,
      event_type: 'open',
      properties: {},
    })),
  ).flat()
}

/** Counts what waits for the disk. */
function countingDisk(): { disk: ColdDisk; waits: () => number } {
  let waits = 0
  const counted =
    <A extends unknown[], R>(act: (...args: A) => R) =>
    (...args: A): R => {
      waits += 1
      return act(...args)
    }
  const disk = {
    ...realDisk,
    sync: counted(realDisk.sync),
    syncAll: counted(realDisk.syncAll),
    remove: counted(realDisk.remove),
  }
  return { disk, waits: () => waits }
}

/** Waits that a job has for each group of days, and once. */
const WAITS_MAX = GROUPS * 6 + 10

describe('many small days', () => {
  let store: InProcessStore
  before(() => {
    store = createInProcessStore()
    return store.start()
  })
  after(() => store.remove())

  async function holds(times: number): Promise<void> {
    const { status, json } = await get<{ data: { dau: number }[] }>(`${store.url}/stats/dau?${RANGE}`)
    assert.equal(status, 200, JSON.stringify(json))
    assert.deepEqual(
      json.data.map(({ dau }) => dau),
      Array.from({ length: DAYS }, (_, n) => countOn(n) * times),
    )
    const { cold, staging } = store.files()
    assert.deepEqual(staging, [])
    assert.deepEqual(cold, store.listed())
    assert.equal(cold.length, DAYS * times)
  }

  it('are imported with as few waits for the disk as a few days', async () => {
    const { disk, waits } = countingDisk()
    const report = await store.importCsv(toCsv(eventsOf('first')), disk)
    assert.deepEqual([report.days, report.files, report.rejected], [DAYS, DAYS, 0])
    assert.ok(waits() <= WAITS_MAX, `${waits()} waits`)
    await holds(1)
  })

  it('are imported into days that have files already', async () => {
    assert.equal((await store.importCsv(toCsv(eventsOf('second')))).files, DAYS)
    await holds(2)
  })

  it('are compacted in as few transactions and waits for the disk as a few days', async () => {
    for (const event of eventsOf('third')) store.inSqlite((db) => insertEvent(db, event))
    const before_run = store.inSqlite(readGeneration)
    const { disk, waits } = countingDisk()
    const report = await store.compact({ disk })
    assert.deepEqual([report.days, report.files], [DAYS, DAYS])
    // One for each group, and one that joins the segments of the index.
    assert.ok(store.inSqlite(readGeneration) - before_run <= GROUPS + 1)
    assert.ok(waits() <= WAITS_MAX, `${waits()} waits`)
    await holds(3)
  })

  it('are an error that names file and day when one byte of one of them is wrong', async () => {
    const path = store.listed()[DAYS]!
    const whole = join(store.layout.cold, path)
    const bytes = readFileSync(whole)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(whole, bytes)
    const { status, json } = await get<{ detail: string }>(`${store.url}/stats/dau?${RANGE}`)
    assert.equal(status, 500)
    assert.ok(json.detail.includes(path) && json.detail.includes(path.slice(4, 14)), json.detail)
  })
})
