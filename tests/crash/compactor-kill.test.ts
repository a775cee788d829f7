import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { BUSY, tryColdLock } from '../../src/store/lock.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { numberHotUsers } from '../support/numbering.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore, filesBelow } from '../support/in-process.ts'
import { pick, seeded } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'

/**
 * SIGKILL in the middle of a day of a million rows. Where a run stands is seen from outside, by what is locked, lies on the disk and
 * stands in the catalog, so each round kills in the step it is named after. Random points: FROSTLINE_SEED.
 */

const ROWS = howMany('killed_day_rows')
const KILLS_WITHIN_A_STEP = howMany('kills_within_a_step')
const BATCH_EVENTS = 40_000
const DATE = '2025-08-01'
const USERS = 5_000
const TYPES = ['app_open', 'view_item', 'add_to_cart', 'purchase', 'logout'] as const
const SEED = Number(process.env['FROSTLINE_SEED'] ?? Date.now() % 100_000)
/** A file that is being written and has come this far is no longer only its header: a row takes some 20 bytes. */
const WELL_BEGUN_BYTES = ROWS

/** The n-th event. User, type and time follow from n, so the right answers do too. */
function eventText(n: number): string {
  // Multiplied so that neighbours are far apart, as random ids are; odd, so that no two are the same.
  const id = Math.imul(n, 0x9e3779b1) >>> 0
  const hex = id.toString(16).padStart(8, '0')
  const second = n % 86_400
  const time = new Date(second * 1_000).toISOString().slice(11, 19)
  return `{"event_id":"${hex}-aaaa-4aaa-8aaa-${hex}bbbb","occurred_at":"${DATE}T${time}.${String(n % 1_000_000).padStart(6, '0')}Z","user_id":"user-${n % USERS}","event_type":"${TYPES[n % TYPES.length]}","properties":{"country":"${n % 3 === 0 ? 'UA' : 'PL'}"}}`
}

function batchText(from: number, count: number): string {
  return `[${Array.from({ length: count }, (_, i) => eventText(from + i)).join(',')}]`
}

/** True from the n-th time on that it is asked after `begun` has come true. */
function looksAfter(begun: () => boolean, n: number): () => boolean {
  let looks = -1
  return () => {
    if (looks >= 0 || begun()) looks += 1
    return looks >= n
  }
}

describe(`the compactor killed in a day of ${ROWS} rows (seed ${SEED})`, () => {
  const random = seeded(SEED)
  const home = createInProcessStore()
  const { layout } = home
  /** For the processes that are killed. */
  const processes = createTestStore()
  /** Our own look into the store. */
  let db: Sqlite
  let posted = 0

  before(async () => {
    await home.start()
    db = openStore(layout.database)
    while (posted < ROWS) await postNew(BATCH_EVENTS)
  })
  after(async () => {
    db.close()
    await processes.remove()
    await home.remove()
  })

  async function postNew(count: number): Promise<void> {
    const { json } = await post(`${home.url}/events`, batchText(posted, count))
    assert.equal(json['accepted'], count)
    posted += count
  }

  async function assertRightAnswers(): Promise<void> {
    const range = `from=${DATE}&to=${DATE}`
    const top = await get<{ data: { event_type: string; count: number }[] }>(
      `${home.url}/stats/top-events?${range}`,
    )
    const expected = TYPES.map((event_type, k) => ({
      event_type,
      count: Math.floor((posted - k - 1) / TYPES.length) + 1,
    }))
    expected.sort((a, b) => b.count - a.count || (a.event_type < b.event_type ? -1 : 1))
    assert.deepEqual(top.json.data, expected)
    const dau = await get<{ data: unknown }>(`${home.url}/stats/dau?${range}`)
    assert.deepEqual(dau.json.data, [{ date: DATE, dau: USERS }])
  }

  /** Replays known, new events counted, and right answers. */
  async function assertNothingLost(): Promise<void> {
    const from = Math.floor(random() * (posted - 1_000))
    const { json } = await post(`${home.url}/events`, batchText(from, 1_000))
    assert.deepEqual([json['accepted'], json['duplicates']], [0, 1_000])
    await postNew(10)
    await assertRightAnswers()
  }

  /** Starts a run and kills it as soon as it is where it should be. */
  async function killOnce(isThere: () => boolean): Promise<void> {
    leftovers = new Set(readdirSync(layout.staging))
    const run = processes.start(['compact', '--json'], { DATA_DIR: dirname(layout.database) })
    const exited = once(run, 'exit')
    while (run.exitCode === null && !isThere()) {
      await new Promise((resolve) => {
        setTimeout(resolve, 1)
      })
    }
    run.kill('SIGKILL')
    assert.deepEqual(await exited, [null, 'SIGKILL'], 'the run ended before it came to the step')
  }

  /** What killed runs left in staging, which the next one deletes. */
  let leftovers = new Set<string>()

  /** The file that this run is making. */
  function staged(): { path: string; bytes: number } | null {
    const name = readdirSync(layout.staging).find((n) => n.endsWith('.parquet') && !leftovers.has(n))
    if (name === undefined) return null
    const path = join(layout.staging, name)
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat === undefined ? null : { path, bytes: stat.size }
  }

  /** Parquet ends with the word it begins with; only then is the file whole. */
  function stagedIsWhole(): boolean {
    const file = staged()
    if (file === null || file.bytes < WELL_BEGUN_BYTES) return false
    const tail = Buffer.alloc(4)
    const fd = openSync(file.path, 'r')
    try {
      readSync(fd, tail, 0, 4, file.bytes - 4)
    } finally {
      closeSync(fd)
    }
    return tail.toString() === 'PAR1'
  }

  function lockIsHeld(): boolean {
    const lock = tryColdLock(layout)
    if (lock === BUSY) return true
    lock.release()
    return false
  }

  const filesOnDisk = () => filesBelow(layout.cold).length
  const filesListed = () => db.prepare('SELECT count(*) FROM cold_files').pluck().get() as number
  const lowestHotSeq = () => db.prepare('SELECT min(seq) FROM events').pluck().get() as number

  /** Holds SQLite's write lock, so that the run comes up to its commit and not past it. */
  async function whileNobodyCanCommit(act: () => Promise<void>): Promise<void> {
    numberHotUsers(db)
    db.exec('BEGIN IMMEDIATE')
    try {
      await act()
    } finally {
      db.exec('ROLLBACK')
    }
  }

  function assertNoStrayFile(): void {
    const listed = db.prepare('SELECT path FROM cold_files ORDER BY path').pluck().all()
    assert.deepEqual(filesBelow(layout.cold), listed)
    assert.deepEqual(readdirSync(layout.staging), [])
  }

  it('has lost nothing while it copied the rows', async () => {
    for (let round = 0; round < KILLS_WITHIN_A_STEP; round += 1) {
      await killOnce(looksAfter(lockIsHeld, Math.floor(random() * 300 * (ROWS / 1_000_000))))
      assert.deepEqual([filesListed(), filesOnDisk(), staged()], [0, 0, null])
      await assertNothingLost()
    }
  })

  it('has lost nothing while it sorted and wrote the file', async () => {
    await killOnce(() => staged() !== null)
    assert.deepEqual([filesListed(), filesOnDisk()], [0, 0])
    await assertNothingLost()
    const bytes = WELL_BEGUN_BYTES * (1 + Math.floor(random() * 4))
    await killOnce(() => (staged()?.bytes ?? 0) >= bytes)
    assert.deepEqual([filesListed(), filesOnDisk()], [0, 0])
    await assertNothingLost()
  })

  it('has lost nothing while it checked the file', async () => {
    await killOnce(stagedIsWhole)
    assert.equal(filesListed(), 0)
    await assertNothingLost()
  })

  it('has lost nothing between giving the file its name and the commit', async () => {
    await whileNobodyCanCommit(() => killOnce(() => filesOnDisk() === 1))
    assert.deepEqual([filesListed(), filesOnDisk()], [0, 1])
    await assertNothingLost()
  })

  it('counts nothing twice right after the commit, with all rows still in hot', async () => {
    await killOnce(() => filesListed() === 1)
    assert.ok(lowestHotSeq() < ROWS / 2, 'most rows are still there')
    const { json } = await get<{ hot: { events: number }; cold: { events: number } }>(`${home.url}/tiers`)
    assert.deepEqual([json.hot.events, json.cold.events], [0, posted])
    await assertNothingLost()
  })

  it('counts nothing twice in the middle of collecting the rows', async () => {
    for (const share of [0.2, 0.6].slice(0, KILLS_WITHIN_A_STEP)) {
      const seq = Math.floor((share + random() * 0.2) * ROWS)
      await killOnce(() => lowestHotSeq() >= seq)
      assert.ok(lowestHotSeq() < ROWS, 'some are still there')
      await assertNothingLost()
    }
  })

  it('is finished by the next run, which leaves no stray file and no row behind', async () => {
    await home.compact()
    assert.equal(db.prepare('SELECT count(*) FROM events').pluck().get(), 0)
    assertNoStrayFile()
    const { json } = await get<{ hot: { events: number }; cold: { events: number } }>(`${home.url}/tiers`)
    assert.deepEqual([json.hot.events, json.cold.events], [0, posted])
    await assertNothingLost()
  })

  it('has lost nothing while it merged, wherever', async () => {
    while (filesListed() < 4) {
      await postNew(10)
      await home.compact()
    }
    await postNew(10)
    const merging = () => filesListed() === 5 && staged() !== null
    await killOnce(pick(random, [merging, () => merging() && stagedIsWhole()]))
    assert.equal(filesListed(), 5)
    // Without late rows the next run has nothing to do but merge.
    await assertRightAnswers()
    await whileNobodyCanCommit(() => killOnce(() => filesOnDisk() === filesListed() + 1 && staged() === null))
    await assertRightAnswers()
    await killOnce(() => filesListed() === 1)
    await assertNothingLost()
    await home.compact()
    assertNoStrayFile()
    assert.equal(db.prepare('SELECT count(*) FROM events').pluck().get(), 0)
    await assertNothingLost()
  })
})
