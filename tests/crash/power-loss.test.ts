import assert from 'node:assert/strict'
import { createHash, randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { readCatalog } from '../../src/store/catalog.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { isComplete } from '../../src/cold/id-index.ts'
import { openLayout } from '../../src/store/layout.ts'
import { howMany } from '../support/counts.ts'
import { failingDisk } from '../support/failing-disk.ts'
import { createForgetfulDisk, restore } from '../support/forgetful-disk.ts'
import type { ForgetfulDisk, Moment } from '../support/forgetful-disk.ts'
import { createInProcessStore, filesBelow } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { insertEvent, sampleEvents, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { get, post } from '../support/store.ts'
import { visibleIds } from '../support/visible.ts'

/** Four files of one day, and hot rows for it and for another: a run has to seal both and to merge one. */
const OLD = [0, 1, 2, 3].map((n) => sampleEvents(50 + n, 20, '2025-08-01', 1))
const HOT = sampleEvents(60, 40, '2025-08-01', 2)
const POSTED = [...OLD.flat(), ...HOT]
/** A day that is cold, one that is hot, one that is new; and rows that are there already. */
const NEW = sampleEvents(70, 60, '2025-08-01', 3)
const REJECTED_ROW = 'not an id,2025-08-01T12:00:00Z,anna,app_open,{}'
const CSV = `${toCsv([...NEW, ...POSTED.slice(0, 20)])}${REJECTED_ROW}\n`

const idsOf = (events: readonly SampleEvent[]) => events.map(({ event_id }) => event_id).toSorted()
const dataOf = (home: InProcessStore) => dirname(home.layout.cold)
/** Where the store and the imported file stand side by side. */
const rootOf = (home: InProcessStore) => dirname(dataOf(home))
const STORE = 'store'
const SQLITE_FILES = ['frostline.db', 'frostline.db-wal', 'cold-writer.lock'].map((name) => join(STORE, name))
const REJECTED = 'import.csv.rejected.csv'

const prepared = createInProcessStore()
before(async () => {
  await prepared.start()
  for (const events of OLD) {
    await post(`${prepared.url}/events`, events)
    await prepared.compact()
  }
  await post(`${prepared.url}/events`, HOT)
  await prepared.stop()
})
after(() => prepared.remove())

function createStore(t: TestContext): InProcessStore {
  const home = createInProcessStore(prepared)
  t.after(() => home.remove())
  return home
}

async function countOf(url: string): Promise<number> {
  const question = `${url}/stats/top-events?from=2025-08-01&to=2025-08-31&limit=1000`
  const { status, json } = await get<{ data: { count: number }[] }>(question)
  assert.equal(status, 200, JSON.stringify(json))
  return json.data.reduce((n, { count }) => n + count, 0)
}

/** What is left is looked at after each moment. A service goes on from these, and in other runs from others. */
const STRIDE = howMany('from_one_power_cut_to_the_next')
const FIRST = Number(process.env['FROSTLINE_SEED'] ?? randomInt(1_000_000))

/** Moments that leave the same are tried once. */
function different(moments: readonly Moment[]): Moment[] {
  const seen = new Map<string, Moment>()
  for (const moment of moments) {
    const hash = createHash('sha256')
    for (const [path, content] of moment.left) hash.update(`${path}\n`).update(content ?? 'folder')
    seen.set(hash.digest('hex'), moment)
  }
  return [...seen.values()]
}

/** A listed file that is not wholly on the disk means that the catalog was committed before a sync. */
function assertListedFilesAreWhole(home: InProcessStore, moment: Moment): void {
  const { files, segments } = home.inSqlite(readCatalog)
  const listed = [
    ...files.map(({ path, checksum }) => ({ path: join('cold', path), checksum })),
    ...segments.map(({ path, checksum }) => ({ path: join('ids', path), checksum })),
  ]
  for (const { path, checksum } of listed) {
    const left = moment.left.get(join(STORE, path))
    assert.ok(left, `the catalog lists ${path}, which a power cut before "${moment.before}" takes away`)
    assert.equal(
      createHash('sha256').update(left).digest('hex'),
      checksum,
      `${path} before "${moment.before}"`,
    )
  }
}

/** An import that is committed has told which rows it rejected: nobody would look for them again. */
function assertRejectsAreTold(moment: Moment, ids: readonly string[]): void {
  if (!NEW.slice(1).every(({ event_id }) => ids.includes(event_id))) return
  const left = moment.left.get(REJECTED)
  assert.ok(left, `a power cut before "${moment.before}" takes the list of rejected rows away`)
  assert.match(left.toString(), new RegExp(REJECTED_ROW), `before "${moment.before}"`)
}

/**
 * Lets power fail at every moment of a run; the store that is left must hold one of these sets of ids, and count each once.
 * @returns how many moments left something different
 */
async function replay(
  t: TestContext,
  disk: ForgetfulDisk,
  mayHold: readonly (readonly SampleEvent[])[],
  runAgain: (home: InProcessStore) => Promise<unknown>,
  holdsThen: readonly SampleEvent[],
  assertTold: (moment: Moment, ids: readonly string[]) => void = () => {},
): Promise<number> {
  disk.note('the end')
  const moments = different(disk.moments)
  const allowed = mayHold.map((events) => idsOf(events).join())
  const home = createInProcessStore()
  t.after(() => home.remove())
  for (const [n, moment] of moments.entries()) {
    restore(moment, rootOf(home))
    openLayout(dataOf(home))
    assertListedFilesAreWhole(home, moment)
    const ids = await visibleIds(home.layout)
    assert.ok(allowed.includes(ids.join()), `${ids.length} rows after a power cut before "${moment.before}"`)
    assertTold(moment, ids)
    if (n % STRIDE !== FIRST % STRIDE) continue
    await home.start()
    assert.equal(await countOf(home.url), ids.length, `before "${moment.before}"`)
    await runAgain(home)
    assert.equal(await countOf(home.url), holdsThen.length, `run again, before "${moment.before}"`)
    const again = await post(`${home.url}/events`, holdsThen)
    assert.equal(again.json['duplicates'], holdsThen.length, `posted again, before "${moment.before}"`)
    await home.compact()
    await home.stop()
    assert.deepEqual(await visibleIds(home.layout), idsOf(holdsThen))
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    const { files, segments } = home.inSqlite(readCatalog)
    assert.ok(isComplete(files, segments), `before "${moment.before}"`)
    assert.deepEqual(filesBelow(home.layout.ids), segments.map(({ path }) => path).toSorted())
    assert.equal(
      home.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get()),
      0,
    )
  }
  return moments.length
}

describe(`power lost at any step (FROSTLINE_SEED=${FIRST})`, () => {
  it('of compactions and merges loses no row and doubles none', async (t) => {
    const home = createStore(t)
    const disk = createForgetfulDisk(rootOf(home), SQLITE_FILES)
    const report = await home.compact({ disk })
    assert.deepEqual([report.rows, report.files, report.merged_files], [HOT.length, 3, 5])
    const tried = await replay(t, disk, [POSTED], (left) => left.compact(), POSTED)
    t.diagnostic(`${tried} moments`)
    assert.ok(tried >= 8, `${tried} moments`)
  })

  it('of an import, also of one that meets its rows in hot, leaves all of its rows or none', async (t) => {
    const home = createStore(t)
    const recording = createForgetfulDisk(rootOf(home), SQLITE_FILES)
    // As soon as the first file is made, one of its rows is posted: that day has to be written once more.
    const [copy] = NEW as [SampleEvent]
    let is_posted = false
    const disk: ColdDisk = {
      ...recording,
      rename(from, to) {
        recording.rename(from, to)
        if (!is_posted) home.inSqlite((db) => insertEvent(db, copy))
        is_posted = true
      },
    }
    const report = await home.importCsv(CSV, disk)
    assert.equal(report.imported, NEW.length - 1)
    const all = [...POSTED, ...NEW]
    const tried = await replay(
      t,
      recording,
      [POSTED, [...POSTED, copy], all],
      (left) => left.importCsv(CSV),
      all,
      assertRejectsAreTold,
    )
    t.diagnostic(`${tried} moments`)
    assert.ok(tried >= 6, `${tried} moments`)
  })

  it('of making the folders leaves them where the store can be found', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'frostline-'))
    t.after(() => rmSync(dir, { recursive: true, force: true }))
    const disk = createForgetfulDisk(dir)
    const data_dir = join(dir, 'new', 'store')
    openLayout(data_dir, disk)
    disk.note('the end')
    restore(disk.moments.at(-1)!, dir)
    assert.deepEqual(readdirSync(data_dir).toSorted(), ['cold', 'ids', 'spill', 'staging'])
  })
})

describe('an import on a failing disk', () => {
  it('imports nothing or all, whichever call fails, and the next one is right', async (t) => {
    const home = createStore(t)
    await home.start()
    let failures = 0
    const stride = howMany('from_one_failing_call_to_the_next')
    for (let failing = 1; ; failing += stride) {
      const failed = await home.importCsv(CSV, failingDisk(failing)).then(
        () => false,
        (error: unknown) => {
          assert.match(String(error), /the disk is full/)
          return true
        },
      )
      const counted = await countOf(home.url)
      if (!failed) break
      failures += 1
      // The last call tidies up, when all rows are visible already.
      assert.ok([POSTED.length, POSTED.length + NEW.length].includes(counted), `after call ${failing} failed`)
    }
    assert.ok(failures * stride > 10, `${failures} calls could fail`)
    assert.equal((await home.importCsv(CSV)).imported, 0)
    assert.equal(await countOf(home.url), POSTED.length + NEW.length)
    await home.compact()
    assert.deepEqual(await visibleIds(home.layout), idsOf([...POSTED, ...NEW]))
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
  })
})
