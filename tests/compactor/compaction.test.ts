import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readdirSync, statSync, watch, writeFileSync } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { constants, getPriority } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { BUSY, tryColdLock } from '../../src/store/lock.ts'
import { VerifyError } from '../../src/cold/parquet.ts'
import { openLayout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Tiers } from '../../src/store/tiers.ts'
import { programOf } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { failingDisk } from '../support/failing-disk.ts'
import { createInProcessStore, filesBelow } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents } from '../support/sample.ts'
import { countOf, createTestStore, get, post, postAll } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { ROOT } from '../support/root.ts'

const RANGE = 'from=2025-08-01&to=2025-08-31'

async function tiersOf(url: string): Promise<Tiers> {
  return (await get<Tiers>(`${url}/tiers`)).json
}

/** Each second: the schedule starts a run and the log says what it did. */
const EVERY_SECOND = '* * * * * *'

const noonOf = (date: string) => Date.parse(`${date}T12:00:00Z`) * 1_000

describe('a compaction run', () => {
  let home: InProcessStore
  beforeEach(async () => {
    home = createInProcessStore()
    await home.start()
  })
  afterEach(() => home.remove())

  it('moves closed days to cold without changing an answer', async () => {
    const events = sampleEvents(1, 600, '2025-08-01', 3)
    await postAll(home.url, events)
    const question = `${home.url}/stats/dau?${RANGE}&properties.country=UA`
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
    await postAll(home.url, sampleEvents(2, 300, '2025-08-01', 3))
    const coldDays = async (now_us: number) => {
      await home.compact({ now_us, hot_days: 1 })
      return (await tiersOf(home.url)).cold.days.map(({ day }) => day)
    }
    const closes_us = Date.parse('2025-08-03T00:00:00Z') * 1_000
    assert.deepEqual(await coldDays(closes_us - 1), [])
    assert.deepEqual(await coldDays(closes_us), ['2025-08-01'])
    const { hot } = await tiersOf(home.url)
    assert.equal(hot.days, 2)
    assert.equal(await countOf(home.url, RANGE), 300)
    assert.deepEqual(await coldDays(noonOf('2025-08-05')), ['2025-08-01', '2025-08-02', '2025-08-03'])
  })

  it('shows late events at once, moves them next time, and merges a day of more than four files under a replay', async () => {
    const events = sampleEvents(3, 600, '2025-08-01', 1)
    for (let n = 0; n < 6; n += 1) {
      await postAll(home.url, events.slice(n * 100, (n + 1) * 100))
      assert.equal(await countOf(home.url, RANGE), (n + 1) * 100)
      const { hot } = await tiersOf(home.url)
      assert.equal(hot.events, 100)
      const report = await home.compact()
      assert.equal(report.merged_files, n === 4 ? 5 : 0)
      // The merge has deleted the files that the service knew.
      if (n === 4)
        assert.equal((await post(`${home.url}/events`, events.slice(0, 500))).json['duplicates'], 500)
      assert.equal(await countOf(home.url, RANGE), (n + 1) * 100)
      const { cold } = await tiersOf(home.url)
      assert.equal(cold.files, [1, 2, 3, 4, 1, 2][n])
      assert.equal(cold.events, (n + 1) * 100)
      assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    }
    assert.equal((await post(`${home.url}/events`, events)).json['duplicates'], 600)
    await home.stop()
    await home.start()
    assert.equal(await countOf(home.url, RANGE), 600)
    assert.equal((await post(`${home.url}/events`, events)).json['duplicates'], 600)
  })

  it('keeps replaced files until their grace is over, to the microsecond', async () => {
    const events = sampleEvents(4, 50, '2025-08-01', 1)
    const replaced_us = noonOf('2025-09-01')
    for (let n = 0; n < 5; n += 1) {
      await postAll(home.url, events.slice(n * 10, (n + 1) * 10))
      await home.compact({ now_us: replaced_us, grace_s: 60 })
    }
    assert.equal(home.listed().length, 1)
    assert.equal(home.files().cold.length, 6)
    await home.compact({ now_us: replaced_us + 59_999_999, grace_s: 60 })
    assert.equal(home.files().cold.length, 6)
    const { removed_files } = await home.compact({ now_us: replaced_us + 60_000_000, grace_s: 60 })
    assert.equal(removed_files, 5)
    assert.deepEqual(home.files().cold, home.listed())
    assert.equal(await countOf(home.url, RANGE), 50)
  })

  it('sweeps orphans and half-made files, and nothing else', async () => {
    await postAll(home.url, sampleEvents(5, 100, '2025-08-01', 2))
    await home.compact()
    const { cold, staging } = home.layout
    const strays = ['day=2025-08-01/orphan.parquet', 'day=1999-01-01/alone.parquet']
    mkdirSync(join(cold, 'day=1999-01-01'))
    for (const stray of strays) copyFileSync(join(cold, home.listed()[0]!), join(cold, stray))
    writeFileSync(join(cold, 'a note of the operator.txt'), 'hello')
    writeFileSync(join(staging, 'half.parquet'), 'PAR1')
    mkdirSync(join(staging, 'spilled'))
    writeFileSync(join(staging, 'spilled', 'page.tmp'), 'x')
    // Files on the disk are nothing to the answers; only the catalog's are.
    assert.equal(await countOf(home.url, RANGE), 100)
    const { removed_files } = await home.compact()
    assert.equal(removed_files, 4)
    assert.deepEqual(home.files(), { cold: ['a note of the operator.txt', ...home.listed()], staging: [] })
    assert.equal(statSync(join(cold, 'day=1999-01-01'), { throwIfNoEntry: false }), undefined)
    assert.equal(await countOf(home.url, RANGE), 100)
  })

  it('changes no answer and leaves no stray file, whichever step on the disk fails', async () => {
    const events = sampleEvents(6, 1_000, '2025-08-01', 2)
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
      assert.equal(await countOf(home.url, RANGE), posted, `after call ${failing} failed`)
      if (!failed) break
      failures += 1
    }
    assert.ok(failures * stride > 10, `${failures} steps could fail`)
    await home.compact()
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    const { hot, cold } = await tiersOf(home.url)
    assert.deepEqual([hot.events, cold.events], [0, posted])
    assert.equal((await post(`${home.url}/events`, events.slice(0, posted))).json['duplicates'], posted)
  })

  it('publishes no file that differs from the rows it was made from', async () => {
    await postAll(home.url, sampleEvents(7, 200, '2025-08-01', 1))
    await home.compact()
    await postAll(home.url, sampleEvents(8, 300, '2025-08-01', 1))
    const other = join(home.layout.cold, home.listed()[0]!)
    const swapping: ColdDisk = {
      ...realDisk,
      async syncAll(paths) {
        for (const path of paths) if (path.startsWith(home.layout.staging)) copyFileSync(other, path)
      },
    }
    await assert.rejects(home.compact({ disk: swapping }), VerifyError)
    assert.equal(await countOf(home.url, RANGE), 500)
    const { hot, cold } = await tiersOf(home.url)
    assert.deepEqual([hot.events, cold.events, cold.files], [300, 200, 1])
    assert.equal((await home.compact()).rows, 300)
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
  })

  it('counts an event in the first question after its 200, before, during and after a run', async () => {
    const events = sampleEvents(10, howMany('events_counted_at_once'), '2025-08-01', 2)
    let run: Promise<unknown> = Promise.resolve()
    for (const [n, event] of events.entries()) {
      if (n % 10 === 5) {
        await run
        run = home.compact()
      }
      await postAll(home.url, [event])
      assert.equal(await countOf(home.url, RANGE), n + 1)
    }
    await run
  })
})

describe('compaction in processes of its own', () => {
  let home: TestStore
  let service: ServiceProcess
  before(async () => {
    home = createTestStore()
    service = await home.serve()
  })
  after(async () => {
    assert.equal(await service.stop(), 0)
    await home.remove()
  })

  async function compact(env?: Record<string, string>, ...args: string[]): Promise<Record<string, unknown>> {
    const { code, stdout, stderr } = await home.cli(['compact', '--json', ...args], env)
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as Record<string, unknown>
  }

  it('moves rows once when two runs start together, and both exit 0', async () => {
    let posted = 0
    for (let round = 0; round < howMany('compactions_started_together'); round += 1) {
      await postAll(service.url, sampleEvents(100 + round, 400, '2025-08-01', 2))
      posted += 400
      const reports = await Promise.all([compact(), compact()])
      assert.deepEqual(reports.map(({ rows }) => rows).toSorted(), [0, 400])
      assert.equal(await countOf(service.url, RANGE), posted)
      const { hot, cold } = await tiersOf(service.url)
      assert.deepEqual([hot.events, cold.events], [0, posted])
    }
  })

  it('does nothing and says busy while another process writes cold files', async () => {
    const lock = tryColdLock(openLayout(home.data_dir))
    assert.ok(lock !== BUSY)
    try {
      assert.equal(tryColdLock(openLayout(home.data_dir)), BUSY)
      assert.deepEqual(await compact({}, '--wait', '0'), { busy: true })
    } finally {
      lock.release()
    }
    assert.notEqual((await compact({}, '--wait', '0'))['busy'], true)
  })

  it('keeps days hot that HOT_DAYS says are open', async () => {
    const { cold } = await tiersOf(service.url)
    await postAll(service.url, sampleEvents(200, 50, '2025-08-01', 2))
    assert.equal((await compact({ HOT_DAYS: '36500' }))['rows'], 0)
    const left = await tiersOf(service.url)
    assert.deepEqual([left.hot.events, left.cold.events], [50, cold.events])
    assert.equal((await compact({ HOT_DAYS: '1' }))['rows'], 50)
  })

  it('deletes replaced files at once with REPLACED_FILE_GRACE_S=0, and keeps them by default', async () => {
    const folder = join(home.data_dir, 'cold', 'day=2025-07-01')
    for (let n = 0; n < 9; n += 1) {
      await postAll(service.url, sampleEvents(300 + n, 10, '2025-07-01', 1))
      // The fifth file makes the first merge, and four more on top of the merged one make the second.
      await compact(n === 8 ? { REPLACED_FILE_GRACE_S: '0' } : {})
      if (n === 4) assert.equal(filesBelow(folder).length, 6)
    }
    assert.equal(filesBelow(folder).length, 1)
  })

  it(
    'leaves the processor to others, in all of its threads',
    { skip: process.platform !== 'linux' },
    async () => {
      await postAll(service.url, sampleEvents(600, 200, '2025-08-01', 2))
      const layout = openLayout(home.data_dir)
      const db = openStore(layout.database)
      // It cannot publish now, so it waits with its files written.
      const placed = new Promise((resolve) => {
        watch(layout.staging).once('change', function (this: FSWatcher) {
          this.close()
          resolve(null)
        })
      })
      db.exec('BEGIN IMMEDIATE')
      const compactor = home.start(['compact', '--json'])
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
      const { cold } = await tiersOf(service.url)
      await postAll(service.url, sampleEvents(seed, 200, '2025-08-01', 2))
      await reports.untilMoved(200)
      const moved = await tiersOf(service.url)
      assert.deepEqual([moved.hot.events, moved.cold.events], [0, cold.events + 200])
    }
    compactor.kill('SIGTERM')
    assert.deepEqual(await once(compactor, 'exit'), [0, null])
    assert.equal(reports.failed(), false)
  })

  it('is a mistake of usage when the process beside the service has no schedule', async () => {
    assert.deepEqual(await once(startCompactor({ COMPACT_CRON: 'off' }), 'exit'), [2, null])
  })

  it('runs by the clock inside the service', async () => {
    assert.equal(await service.stop(), 0)
    service = await home.serve({ COMPACT_CRON: EVERY_SECOND })
    const reports = reportsOf(service.child.stdout!)
    await postAll(service.url, sampleEvents(400, 200, '2025-08-01', 2))
    await reports.untilMoved(200)
    assert.equal((await tiersOf(service.url)).hot.events, 0)
    assert.equal(reports.failed(), false)
  })

  function startCompactor(env: Record<string, string>) {
    return spawn(process.execPath, programOf('compactor/main.ts'), {
      cwd: ROOT,
      env: { ...process.env, ...home.env, ...env },
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
