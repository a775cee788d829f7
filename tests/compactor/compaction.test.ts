import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync, watch, writeFileSync } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { constants, getPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { BUSY, tryColdLock } from '../../src/store/lock.ts'
import { VerifyError } from '../../src/cold/parquet.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Tiers } from '../../src/store/tiers.ts'
import { programOf } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { failingDisk } from '../support/failing-disk.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { countOf, createTestStore, get, post, postAll } from '../support/store.ts'
import { ROOT } from '../support/root.ts'

/** One service for both parts. Each test has a month of its own, and leaves nothing in hot and no stray file. */
const home = createInProcessStore()
const rangeOf = (month: string) => `from=${month}-01&to=${month}-28`
const tiersNow = async () => (await get<Tiers>(`${home.url}/tiers`)).json
const filesOf = (month: string) => home.files().cold.filter((path) => path.startsWith(`day=${month}`))
const listedOf = (month: string) => home.listed().filter((path) => path.startsWith(`day=${month}`))

/** Each second: the schedule starts a run and the log says what it did. */
const EVERY_SECOND = '* * * * * *'

const noonOf = (date: string) => Date.parse(`${date}T12:00:00Z`) * 1_000

describe('a compaction run', () => {
  before(() => home.start())

  it('moves closed days to cold without changing an answer', async () => {
    const month = '2025-01'
    const events = sampleEvents(1, 600, `${month}-01`, 3)
    await postAll(home.url, events)
    const question = `${home.url}/stats/dau?${rangeOf(month)}&properties.country=UA`
    const hot = await get<{ data: unknown }>(question)
    const report = await home.compact()
    assert.deepEqual([report.days, report.rows, report.files, report.collected_rows], [3, 600, 3, 600])
    const cold = await get<{ data: unknown; meta: Record<string, number> }>(question)
    assert.deepEqual(cold.json.data, hot.json.data)
    assert.equal(cold.json.meta['hot_events'], 0)
    assert.equal(cold.json.meta['cold_events'], 600)
    assert.equal((await post(`${home.url}/events`, events)).json['duplicates'], 600)
    assert.equal((await home.compact()).rows, 0)
  })

  it('leaves a day in hot until HOT_DAYS whole days have passed since its end', async () => {
    const month = '2025-02'
    await postAll(home.url, sampleEvents(2, 300, `${month}-01`, 3))
    const coldDays = async (now_us: number) => {
      await home.compact({ now_us, hot_days: 1 })
      return (await tiersNow()).cold.days.map(({ day }) => day).filter((day) => day.startsWith(month))
    }
    const closes_us = Date.parse(`${month}-03T00:00:00Z`) * 1_000
    assert.deepEqual(await coldDays(closes_us - 1), [])
    assert.deepEqual(await coldDays(closes_us), [`${month}-01`])
    const { hot } = await tiersNow()
    assert.equal(hot.days, 2)
    assert.equal(await countOf(home.url, rangeOf(month)), 300)
    assert.deepEqual(
      await coldDays(noonOf(`${month}-05`)),
      ['01', '02', '03'].map((day) => `${month}-${day}`),
    )
  })

  it('shows late events at once, moves them next time, and merges a day of more than four files under a replay', async () => {
    const month = '2025-03'
    const events = sampleEvents(3, 600, `${month}-01`, 1)
    const { cold: earlier } = await tiersNow()
    for (let n = 0; n < 6; n += 1) {
      await postAll(home.url, events.slice(n * 100, (n + 1) * 100))
      assert.equal(await countOf(home.url, rangeOf(month)), (n + 1) * 100)
      const { hot } = await tiersNow()
      assert.equal(hot.events, 100)
      const report = await home.compact()
      assert.equal(report.merged_files, n === 4 ? 5 : 0)
      // The merge has deleted the files that the service knew.
      if (n === 4)
        assert.equal((await post(`${home.url}/events`, events.slice(0, 500))).json['duplicates'], 500)
      assert.equal(await countOf(home.url, rangeOf(month)), (n + 1) * 100)
      const { cold } = await tiersNow()
      assert.equal(cold.files - earlier.files, [1, 2, 3, 4, 1, 2][n])
      assert.equal(cold.events - earlier.events, (n + 1) * 100)
      assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    }
    assert.equal((await post(`${home.url}/events`, events)).json['duplicates'], 600)
  })

  it('keeps replaced files until their grace is over, to the microsecond', async () => {
    const month = '2025-04'
    const events = sampleEvents(4, 50, `${month}-01`, 1)
    const replaced_us = noonOf('2025-09-01')
    for (let n = 0; n < 5; n += 1) {
      await postAll(home.url, events.slice(n * 10, (n + 1) * 10))
      await home.compact({ now_us: replaced_us, grace_s: 60 })
    }
    assert.equal(listedOf(month).length, 1)
    assert.equal(filesOf(month).length, 6)
    await home.compact({ now_us: replaced_us + 59_999_999, grace_s: 60 })
    assert.equal(filesOf(month).length, 6)
    const { removed_files } = await home.compact({ now_us: replaced_us + 60_000_000, grace_s: 60 })
    assert.equal(removed_files, 5)
    assert.deepEqual(filesOf(month), listedOf(month))
    assert.equal(await countOf(home.url, rangeOf(month)), 50)
  })

  it('sweeps orphans and half-made files, and nothing else', async () => {
    const month = '2025-05'
    await postAll(home.url, sampleEvents(5, 100, `${month}-01`, 2))
    await home.compact()
    const { cold, staging } = home.layout
    const strays = [`day=${month}-01/orphan.parquet`, 'day=1999-01-01/alone.parquet']
    mkdirSync(join(cold, 'day=1999-01-01'))
    for (const stray of strays) copyFileSync(join(cold, home.listed()[0]!), join(cold, stray))
    const note = join(cold, 'a note of the operator.txt')
    writeFileSync(note, 'hello')
    writeFileSync(join(staging, 'half.parquet'), 'PAR1')
    mkdirSync(join(staging, 'spilled'))
    writeFileSync(join(staging, 'spilled', 'page.tmp'), 'x')
    // Files on the disk are nothing to the answers; only the catalog's are.
    assert.equal(await countOf(home.url, rangeOf(month)), 100)
    const { removed_files } = await home.compact()
    assert.equal(removed_files, 4)
    assert.deepEqual(home.files(), { cold: ['a note of the operator.txt', ...home.listed()], staging: [] })
    rmSync(note)
    assert.equal(statSync(join(cold, 'day=1999-01-01'), { throwIfNoEntry: false }), undefined)
    assert.equal(await countOf(home.url, rangeOf(month)), 100)
  })

  it('changes no answer and leaves no stray file, whichever step on the disk fails', async () => {
    const month = '2025-06'
    const events = sampleEvents(6, 1_000, `${month}-01`, 2)
    const { cold: earlier } = await tiersNow()
    // Five files a day, so that the run has to seal and to merge.
    for (let n = 0; n < 4; n += 1) {
      await postAll(home.url, events.slice(n * 100, (n + 1) * 100))
      await home.compact()
    }
    let posted = 400
    let failures = 0
    const stride = howMany('from_one_failing_call_to_the_next')
    for (let failing = 1; ; failing += stride) {
      if (posted < 1_000) {
        await postAll(home.url, events.slice(posted, posted + 20))
        posted += 20
      }
      const failed = await home.compact({ disk: failingDisk(failing) }).then(
        () => false,
        (error: unknown) => {
          assert.match(String(error), /the disk is full/)
          return true
        },
      )
      assert.equal(await countOf(home.url, rangeOf(month)), posted, `after call ${failing} failed`)
      if (!failed) break
      failures += 1
    }
    assert.ok(failures * stride > 10, `${failures} steps could fail`)
    await home.compact()
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    const { hot, cold } = await tiersNow()
    assert.deepEqual([hot.events, cold.events - earlier.events], [0, posted])
    assert.equal((await post(`${home.url}/events`, events.slice(0, posted))).json['duplicates'], posted)
  })

  it('publishes no file that differs from the rows it was made from', async () => {
    const month = '2025-07'
    await postAll(home.url, sampleEvents(7, 200, `${month}-01`, 1))
    await home.compact()
    const { cold: earlier } = await tiersNow()
    await postAll(home.url, sampleEvents(8, 300, `${month}-01`, 1))
    const other = join(home.layout.cold, listedOf(month)[0]!)
    const swapping: ColdDisk = {
      ...realDisk,
      async syncAll(paths) {
        for (const path of paths) if (path.startsWith(home.layout.staging)) copyFileSync(other, path)
      },
    }
    await assert.rejects(home.compact({ disk: swapping }), VerifyError)
    assert.equal(await countOf(home.url, rangeOf(month)), 500)
    const { hot, cold } = await tiersNow()
    assert.deepEqual([hot.events, cold], [300, earlier])
    assert.equal((await home.compact()).rows, 300)
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
  })

  it('counts an event in the first question after its 200, before, during and after a run', async () => {
    const month = '2025-08'
    const events = sampleEvents(10, howMany('events_counted_at_once'), `${month}-01`, 2)
    let run: Promise<unknown> = Promise.resolve()
    for (const [n, event] of events.entries()) {
      if (n % 10 === 5) {
        await run
        run = home.compact()
      }
      await postAll(home.url, [event])
      assert.equal(await countOf(home.url, rangeOf(month)), n + 1)
    }
    await run
    await home.compact()
  })
})

describe('compaction in processes of its own', () => {
  const month = '2025-09'
  const RANGE = rangeOf(month)
  const DATA_DIR = dirname(home.layout.database)
  const processes = createTestStore()
  after(async () => {
    await processes.remove()
    await home.remove()
  })

  async function compact(env?: Record<string, string>, ...args: string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await processes.cli(['compact', '--json', ...args], { DATA_DIR, ...env })
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as Record<string, unknown>
  }

  it('moves rows once when two runs start together, and both exit 0', async () => {
    const { cold: earlier } = await tiersNow()
    let posted = 0
    for (let round = 0; round < howMany('compactions_started_together'); round += 1) {
      await postAll(home.url, sampleEvents(100 + round, 400, `${month}-01`, 2))
      posted += 400
      const reports = await Promise.all([compact(), compact()])
      assert.deepEqual(reports.map(({ rows }) => rows).toSorted(), [0, 400])
      assert.equal(await countOf(home.url, RANGE), posted)
      const { hot, cold } = await tiersNow()
      assert.deepEqual([hot.events, cold.events - earlier.events], [0, posted])
    }
  })

  it('does nothing and says busy while another process writes cold files', async () => {
    const lock = tryColdLock(home.layout)
    assert.ok(lock !== BUSY)
    try {
      assert.equal(tryColdLock(home.layout), BUSY)
      assert.deepEqual(await compact({}, '--wait', '0'), { busy: true })
    } finally {
      lock.release()
    }
    assert.notEqual((await compact({}, '--wait', '0'))['busy'], true)
  })

  it('keeps days hot that HOT_DAYS says are open', async () => {
    const { cold } = await tiersNow()
    await postAll(home.url, sampleEvents(200, 50, `${month}-01`, 2))
    assert.equal((await compact({ HOT_DAYS: '36500' }))['rows'], 0)
    const left = await tiersNow()
    assert.deepEqual([left.hot.events, left.cold.events], [50, cold.events])
    assert.equal((await compact({ HOT_DAYS: '1' }))['rows'], 50)
  })

  it('deletes replaced files at once with REPLACED_FILE_GRACE_S=0, and keeps them by default', async () => {
    const merged = '2025-10'
    for (let n = 0; n < 9; n += 1) {
      await postAll(home.url, sampleEvents(300 + n, 10, `${merged}-01`, 1))
      // The fifth file makes the first merge, and four more on top of the merged one make the second.
      if (n % 4 !== 0 || n === 0) await home.compact({ grace_s: 1_000 })
      else await compact(n === 8 ? { REPLACED_FILE_GRACE_S: '0' } : {})
      if (n === 4) assert.equal(filesOf(merged).length, 6)
    }
    assert.equal(filesOf(merged).length, 1)
  })

  it(
    'leaves the processor to others, in all of its threads',
    { skip: process.platform !== 'linux' },
    async () => {
      await postAll(home.url, sampleEvents(600, 200, `${month}-01`, 2))
      const db = openStore(home.layout.database)
      // It cannot publish now, so it waits with its files written.
      const placed = new Promise((resolve) => {
        watch(home.layout.staging).once('change', function (this: FSWatcher) {
          this.close()
          resolve(null)
        })
      })
      db.exec('BEGIN IMMEDIATE')
      const compactor = processes.start(['compact', '--json'], { DATA_DIR })
      await placed
      const threads = readdirSync(`/proc/${compactor.pid}/task`)
      const priorities = threads.map((thread) => getPriority(Number(thread)))
      db.exec('COMMIT')
      db.close()
      assert.ok(threads.length > 5, String(threads))
      assert.deepEqual(new Set(priorities), new Set([constants.priority.PRIORITY_BELOW_NORMAL]))
      assert.deepEqual(await once(compactor, 'exit'), [0, null])
    },
  )

  it('runs by the clock in a process beside the service, again and again, and ends in good order', async (t) => {
    const compactor = startCompactor({ COMPACT_CRON: EVERY_SECOND })
    t.after(() => compactor.kill('SIGKILL'))
    const reports = reportsOf(compactor.stdout!)
    for (const seed of [500, 501]) {
      const { cold } = await tiersNow()
      await postAll(home.url, sampleEvents(seed, 200, `${month}-01`, 2))
      await reports.untilMoved(200)
      const moved = await tiersNow()
      assert.deepEqual([moved.hot.events, moved.cold.events], [0, cold.events + 200])
    }
    compactor.kill('SIGTERM')
    assert.deepEqual(await once(compactor, 'exit'), [0, null])
    assert.equal(reports.failed(), false)
  })

  it('is a mistake of usage when the process beside the service has no schedule', async () => {
    assert.deepEqual(await once(startCompactor({ COMPACT_CRON: 'off' }), 'exit'), [2, null])
  })

  function startCompactor(env: Record<string, string>) {
    return spawn(process.execPath, programOf('compactor/main.ts'), {
      cwd: ROOT,
      env: { ...process.env, ...processes.env, DATA_DIR, ...env },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  }
})

/** What the log of a schedule says about its runs. */
function reportsOf(log: Readable) {
  const seen = { moved: 0, failed: false }
  const lines = createInterface({ input: log })
  lines.on('line', (line) => {
    const { msg, rows = 0 } = JSON.parse(line) as { msg: string; rows?: number }
    seen.failed ||= msg.includes('failed')
    if (msg === 'compaction') seen.moved += rows
  })
  return {
    failed: () => seen.failed,
    /** Waits until the runs have moved so many rows, and forgets them. */
    async untilMoved(rows: number): Promise<void> {
      while (seen.moved < rows) await once(lines, 'line')
      seen.moved -= rows
    },
  }
}
