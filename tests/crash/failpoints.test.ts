import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { FAILPOINTS } from '../../src/process/failpoint.ts'
import type { Failpoint } from '../../src/process/failpoint.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { howMany } from '../support/counts.ts'
import { numberUsers } from '../../src/sets/numbers.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { insertEvent, sampleEvents, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { Run, TestStore } from '../support/store.ts'
import { visibleIds } from '../support/visible.ts'

/**
 * A job is killed at a failpoint, the next run of it is killed at another, and the one after that has to put all right. Which failpoints
 * there are is read from the code. FROSTLINE_PAIRS=all tries every pair, and the long run gives each failpoint one other. In the short run
 * one store goes from failpoint to failpoint: each run begins with what all the dead ones have left.
 */

type Job = 'compact' | 'import'

/** The first part of a name says which job comes there; both sweep, and the same way. */
const JOBS_BY_PART: Record<string, Job> = {
  sweep: 'compact',
  compaction: 'compact',
  merge: 'compact',
  index: 'compact',
  import: 'import',
}
const partOf = (name: string) => name.split('.')[0]!

/** In the short run in an order in which one store comes to each of them. */
function reachedBy(job: Job): Failpoint[] {
  const names = FAILPOINTS.filter((name) => JOBS_BY_PART[partOf(name)] === job)
  const turnOf = (name: Failpoint): number => {
    // It is brought about by a lock, which would keep the run from sweeping what dead ones have left.
    if (name === 'import.withdrawn') return -1
    // Nothing is replaced before.
    return name === 'sweep.replaced_file' ? turnOf('merge.committed') + 0.5 : names.indexOf(name)
  }
  return IN_ONE_STORE ? names.toSorted((a, b) => turnOf(a) - turnOf(b)) : names
}

/** Four files in a day or in each of two, and hot rows for both days. */
const DAYS_TO_MERGE = howMany('failpoint_days_to_merge')
const OLD = [0, 1, 2, 3].map((n) => sampleEvents(80 + n, 10, '2025-08-01', DAYS_TO_MERGE))
const HOT = sampleEvents(90, 30, '2025-08-01', 2)
const POSTED = [...OLD.flat(), ...HOT]
const NEW = sampleEvents(100, 30, '2025-08-02', 2)
/** What the file holds more when it is imported again, so that there is something left to do. */
const MORE = sampleEvents(101, 20, '2025-08-02', 3)

/** Rows of each file that are posted while it is imported. */
const COPIES: Record<string, SampleEvent> = { 'first.csv': NEW[0]!, 'again.csv': MORE[0]! }

/** Far enough to come from one phase of a job into the next. */
const PAIR_DISTANCE = 3
const ALL_PAIRS = process.env['FROSTLINE_PAIRS'] === 'all'
const PAIRS = howMany('failpoint_pairs')
const IN_ONE_STORE = PAIRS === 0 && !ALL_PAIRS

const dataOf = (home: InProcessStore) => dirname(home.layout.cold)

/** Each event once, in the order of their ids. */
function union(...lists: (readonly SampleEvent[])[]): SampleEvent[] {
  const byId = new Map(lists.flat().map((event) => [event.event_id, event]))
  return [...byId.values()].toSorted((a, b) => (a.event_id < b.event_id ? -1 : 1))
}

/** The store holds exactly one of these sets, each row once. Returns which. */
async function assertHolds(home: InProcessStore, ...sets: SampleEvent[][]): Promise<SampleEvent[]> {
  const ids = (await visibleIds(home.layout)).join()
  const found = sets.find((events) => events.map(({ event_id }) => event_id).join() === ids)
  assert.ok(found, `${ids.split(',').length} rows are none of ${sets.map(({ length }) => length).join(', ')}`)
  return found
}

/** The service answers as if it had these events and no others, and knows each of them. */
async function assertAnswers(home: InProcessStore, events: readonly SampleEvent[]): Promise<void> {
  await home.start()
  const range = 'from=2025-08-01&to=2025-08-04'
  const dau = await get<{ data: { date: string; dau: number }[] }>(`${home.url}/stats/dau?${range}`)
  for (const { date, dau: users } of dau.json.data) {
    const of_day = events.filter(({ occurred_at }) => occurred_at.startsWith(date))
    assert.equal(users, new Set(of_day.map(({ user_id }) => user_id)).size, date)
  }
  const top = await get<{ data: { event_type: string; count: number }[] }>(
    `${home.url}/stats/top-events?${range}`,
  )
  for (const { event_type, count } of top.json.data)
    assert.equal(count, events.filter((event) => event.event_type === event_type).length, event_type)
  assert.equal((await post(`${home.url}/events`, events)).json['duplicates'], events.length)
  await home.stop()
}

/**
 * An import withdraws a file only if a row of it is posted after its first look and before its commit. Whoever holds the write lock
 * keeps it from committing.
 */
async function postMeanwhile(
  home: InProcessStore,
  event: SampleEvent,
  importing: Promise<Run>,
): Promise<Run> {
  const db = openStore(home.layout.database)
  try {
    const state = { ended: false }
    const ended = importing.finally(() => {
      state.ended = true
    })
    db.exec('BEGIN IMMEDIATE')
    const files = home.files().cold.length
    while (!state.ended && home.files().cold.length === files) {
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
    insertEvent(db, event)
    db.exec('COMMIT')
    return await ended
  } finally {
    db.close()
  }
}

/** The other job comes after the crash, and then the one that died: both find what it left, and neither changes what it published. */
async function assertOtherJobRecovers(
  home: InProcessStore,
  died: Job,
  held: readonly SampleEvent[],
): Promise<void> {
  const csv = toCsv([...NEW, ...MORE, ...POSTED])
  if (died === 'compact') await home.importCsv(csv)
  else await home.compact()
  await assertHolds(home, died === 'compact' ? union(held, NEW, MORE) : [...held])
  assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
  if (died === 'import') await home.importCsv(csv)
  await home.compact()
  await assertHolds(home, union(POSTED, NEW, MORE))
  assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
  assert.equal(
    home.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get()),
    0,
  )
}

/** What may be visible once a job was killed; `csv` is the file of its last run. */
function allowed(job: Job, ...killed_at: Failpoint[]): SampleEvent[][] {
  if (job === 'compact') return [union(POSTED)]
  const copies = killed_at.map((name, n) => (name === 'import.withdrawn' ? [[NEW, MORE][n]![0]!] : [])).flat()
  return [union(POSTED, copies), union(POSTED, copies, NEW), union(POSTED, NEW, MORE)]
}

describe('failpoints', () => {
  let processes: TestStore
  let prepared: InProcessStore
  const homes: InProcessStore[] = []
  before(async () => {
    processes = createTestStore()
    prepared = createInProcessStore()
    homes.push(prepared)
    await prepared.start()
    for (const events of OLD) {
      await post(`${prepared.url}/events`, events)
      await prepared.compact()
    }
    await post(`${prepared.url}/events`, HOT)
    await prepared.stop()
    writeFileSync(join(processes.dir, 'first.csv'), toCsv(NEW))
    writeFileSync(join(processes.dir, 'again.csv'), toCsv([...NEW, ...MORE]))
  })
  after(async () => {
    await processes.remove()
    for (const home of homes) await home.remove()
  })

  function copyOf(other: InProcessStore): InProcessStore {
    const home = createInProcessStore(other)
    homes.push(home)
    return home
  }

  function run(home: InProcessStore, args: readonly string[], failpoint: string): Promise<Run> {
    return processes.cli([...args, '--json'], {
      DATA_DIR: dataOf(home),
      REPLACED_FILE_GRACE_S: '0',
      FROSTLINE_FAILPOINT: failpoint,
    })
  }

  /** Runs a job that is to die at a failpoint. Returns whether it came there. */
  async function kill(home: InProcessStore, job: Job, csv: string, name: Failpoint): Promise<boolean> {
    // The users would get their numbers while the lock is held that this takes.
    if (name === 'import.withdrawn')
      home.inSqlite((db) =>
        numberUsers(db, [...new Set([...NEW, ...MORE].map(({ user_id }) => String(user_id)))]),
      )
    const args = job === 'compact' ? ['compact'] : ['import', join(processes.dir, csv)]
    const running = run(home, args, name)
    const { code, stderr } =
      name === 'import.withdrawn' ? await postMeanwhile(home, COPIES[csv]!, running) : await running
    assert.ok(code === null || code === 0, stderr)
    return code === null
  }

  const reached = new Set<Failpoint>()

  describe('of each job', { concurrency: 2 }, () => {
    for (const job of ['compact', 'import'] as const) {
      describe(job, { concurrency: 1 }, () => dieAtEach(job))
    }
  })

  function dieAtEach(job: Job): void {
    const names = reachedBy(job)
    let crashed: InProcessStore
    for (const [n, first] of names.entries()) {
      const others = Array.from({ length: PAIRS }, (_, k) => names[(n + PAIR_DISTANCE + k) % names.length]!)
      // Without a pair the recovery comes to its end.
      const seconds = ALL_PAIRS ? names : PAIRS > 0 ? others : [null]
      const is_turn = (count: Parameters<typeof howMany>[0]) => (names.length - 1 - n) % howMany(count) === 0
      it(`${job} loses nothing when it dies at ${first}${seconds[0] === null ? '' : ', and again in the recovery'}`, async () => {
        if (n === 0 || !IN_ONE_STORE) crashed = copyOf(prepared)
        assert.ok(await kill(crashed, job, 'first.csv', first), `${job} never comes to ${first}`)
        const died_at = IN_ONE_STORE ? names.slice(0, n + 1) : [first]
        const held = await assertHolds(crashed, ...allowed(job, ...died_at))
        const by_others_too = is_turn('failpoints_per_other_job')
        for (const second of is_turn('failpoints_per_recovery') ? seconds : []) {
          const home = copyOf(crashed)
          if (second !== null) {
            if (await kill(home, job, 'again.csv', second)) reached.add(second)
            await assertHolds(home, ...allowed(job, first, second))
          }
          const all = job === 'import' ? union(POSTED, NEW, MORE) : union(POSTED)
          if (job === 'import') {
            await home.importCsv(toCsv([...NEW, ...MORE]))
            assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
            await assertHolds(home, all)
            if (!by_others_too) continue
          }
          await home.compact()
          assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
          assert.equal(
            home.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get()),
            0,
          )
          await assertHolds(home, all)
        }
        if (by_others_too) await assertOtherJobRecovers(copyOf(crashed), job, held)
        if (ALL_PAIRS || is_turn('failpoints_per_answers')) await assertAnswers(copyOf(crashed), held)
      })
    }
  }

  const no_pairs = IN_ONE_STORE && 'no recovery was killed'
  it('are all come to in the recovery too', { skip: no_pairs }, () => {
    assert.deepEqual([...reached].toSorted(), FAILPOINTS.toSorted())
  })

  it('belong to a job, each of them', () => {
    assert.deepEqual(
      FAILPOINTS.filter((name) => JOBS_BY_PART[partOf(name)] === undefined),
      [],
    )
  })

  for (const [job, name] of [
    ['compact', 'merge.placed'],
    ['import', 'import.applied'],
  ] as const) {
    it(`end ${job} with a failure that names the place when the disk fails at ${name}`, async () => {
      const home = copyOf(prepared)
      const args = job === 'compact' ? ['compact'] : ['import', join(processes.dir, 'first.csv')]
      const { code, stdout, stderr } = await run(home, args, `${name}:error`)
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, new RegExp(`EIO: failpoint ${name}`))
      await assertHolds(home, union(POSTED))
      await home.compact()
      await assertHolds(home, union(POSTED))
      assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    })
  }

  it('that do not exist are refused', async () => {
    const { code, stderr } = await run(copyOf(prepared), ['compact'], 'compaction.misspelt')
    assert.equal(code, 1)
    assert.match(stderr, /FROSTLINE_FAILPOINT must be a name/)
  })
})
