import assert from 'node:assert/strict'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { realDisk } from '../../src/store/disk.ts'
import { IMPORTED_FILES_MAX, openImportedFiles } from '../../src/import/imported-files.ts'
import type { ImportedFile } from '../../src/import/imported-files.ts'
import type { ImportReport } from '../../src/import/job.ts'
import { createInProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { createTestStore, post } from '../support/store.ts'
import type { Run, TestStore } from '../support/store.ts'

const CSV = toCsv(sampleEvents(1, 300, '2025-08-01', 3))
const BAD_ROW = 'nonsense,2025-08-21,u,t,{}\n'

function counts({ rows, imported, duplicates, rejected }: ImportReport) {
  return [rows, imported, duplicates, rejected]
}

const isAnswered = ({ already_imported_at: at }: ImportReport) => {
  if (at !== null) assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  return at !== null
}

const fileOf = (name: string): ImportedFile => ({
  bytes: 1,
  checksum: name,
  name,
  imported_at: 0,
  rows: 1,
  rejected: 0,
  rejects_checksum: null,
})

const reportOf = ({ stdout }: Run) => JSON.parse(stdout) as ImportReport

describe('frostline import of a file that was imported before', () => {
  let store: TestStore
  let csv: string
  beforeEach(() => {
    store = createTestStore()
    csv = join(store.dir, 'history.csv')
    writeFileSync(csv, CSV)
  })

  /** Dies if it comes so far as to have read the rows. */
  const importUnread = (args: readonly string[] = []) =>
    store.cli(['import', csv, ...args], { FROSTLINE_FAILPOINT: 'import.read' })
  async function importFile(args: readonly string[] = []): Promise<ImportReport> {
    const run = await store.cli(['import', csv, '--json', ...args])
    assert.equal(run.code, 0, run.stderr)
    return reportOf(run)
  }

  it('answers at once, under any name, and says since when; --force imports it again', async (t) => {
    t.after(() => store.remove())
    const first = await importFile()
    assert.deepEqual([counts(first), isAnswered(first)], [[300, 300, 0, 0], false])
    renameSync(csv, (csv = join(store.dir, 'renamed.csv')))
    const again = reportOf(await importUnread(['--json', '--strict']))
    assert.deepEqual([counts(again), isAnswered(again)], [[300, 0, 300, 0], true])
    assert.deepEqual([again.days, again.files, again.bytes], [0, 0, 0])
    const { stdout } = await store.cli(['import', csv])
    const since = `The file was imported as history.csv on ${again.already_imported_at}; --force imports it again.\n`
    assert.equal(stdout, `300 rows: 0 imported, 300 duplicates, 0 rejected. ${since}`)
    const forced = await importFile(['--force'])
    assert.deepEqual([counts(forced), isAnswered(forced)], [[300, 0, 300, 0], false])
  })

  it('knows it when it was killed after its commit, and imports it when it was killed before', async (t) => {
    t.after(() => store.remove())
    // Each gets as far as that only if it imports the file: the kill before left nothing that answers for it.
    for (const step of ['import.applied', 'import.committed'])
      assert.equal((await store.cli(['import', csv], { FROSTLINE_FAILPOINT: step })).code, null)
    const again = await importFile()
    assert.deepEqual([counts(again), isAnswered(again)], [[300, 0, 300, 0], true])
  })

  it('tells rejected rows as before, from the list that is there, or makes that list once more', async (t) => {
    t.after(() => store.remove())
    const list = `${csv}.rejected.csv`
    appendFileSync(csv, BAD_ROW)
    const strict = await store.cli(['import', csv, '--json', '--strict'])
    assert.deepEqual([strict.code, counts(reportOf(strict))], [1, [301, 0, 0, 1]])
    assert.deepEqual(counts(await importFile()), [301, 300, 0, 1])
    const told = readFileSync(list)
    const again = await store.cli(['import', csv, '--json'])
    assert.deepEqual([counts(reportOf(again)), isAnswered(reportOf(again))], [[301, 0, 300, 1], true])
    assert.match(again.stderr, /1 row rejected; see .*history\.csv\.rejected\.csv/)
    assert.deepEqual(readFileSync(list), told)
    for (const spoil of [() => rmSync(list), () => appendFileSync(list, 'a note\n')]) {
      spoil()
      const made = await importFile()
      assert.deepEqual([counts(made), isAnswered(made)], [[301, 0, 300, 1], false])
      assert.deepEqual(readFileSync(list), told)
    }
    const strict_again = await store.cli(['import', csv, '--json', '--strict'])
    assert.deepEqual([strict_again.code, counts(reportOf(strict_again))], [1, [301, 0, 0, 1]])
  })

  it('answers one of two that import the same file at the same time', async (t) => {
    t.after(() => store.remove())
    const reports = await Promise.all([importFile(), importFile()])
    assert.deepEqual(reports.map(isAnswered).toSorted(), [false, true])
    assert.deepEqual(reports.map(({ imported }) => imported).toSorted(), [0, 300])
  })
})

describe('imported files', () => {
  const home = createInProcessStore()
  let csv: string
  before(() => {
    csv = join(dirname(dirname(home.layout.database)), 'import.csv')
  })
  after(() => home.remove())

  it('are known by their bytes and not by their size', async () => {
    const text = toCsv(sampleEvents(11, 50))
    assert.equal((await home.importCsv(text)).imported, 50)
    const other = await home.importCsv(text.replace('view_item', 'view_ITEM'))
    assert.deepEqual([counts(other), isAnswered(other)], [[50, 0, 50, 0], false])
    assert.equal(isAnswered(await home.importCsv(text)), true)
  })

  it('are known too when every row was there already', async (t) => {
    await home.start()
    t.after(() => home.stop())
    const events = sampleEvents(12, 40)
    await post(`${home.url}/events`, events)
    const first = await home.importCsv(toCsv(events))
    assert.deepEqual([counts(first), isAnswered(first)], [[40, 0, 40, 0], false])
    const again = await home.importCsv(toCsv(events))
    assert.deepEqual([counts(again), isAnswered(again)], [[40, 0, 40, 0], true])
  })

  it('are answered for after what a dead job left is swept away, an outdated list of rejected rows included', async () => {
    const text = toCsv(sampleEvents(13, 30))
    await home.importCsv(text)
    assert.equal((await home.importCsv(text + BAD_ROW)).rejected, 1)
    assert.ok(existsSync(`${csv}.rejected.csv`))
    writeFileSync(join(home.layout.staging, 'left'), 'over')
    mkdirSync(join(home.layout.cold, 'day=2025-01-01'))
    writeFileSync(join(home.layout.cold, 'day=2025-01-01/orphan.parquet'), 'PAR1')
    assert.equal(isAnswered(await home.importCsv(text)), true)
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    assert.equal(existsSync(`${csv}.rejected.csv`), false)
  })

  /** What may happen to a file after its first byte was read for the checksum, and before its last row was. */
  const CHANGES: Record<string, (text: string) => void> = {
    grows: () => appendFileSync(csv, toCsv(sampleEvents(20, 1)).split('\n')[1]!),
    'is replaced by a file of the same size': (text) => {
      writeFileSync(`${csv}.new`, text.replaceAll('app_open', 'APP_OPEN'))
      renameSync(`${csv}.new`, csv)
    },
    'is written over and its time set back': (text) => {
      const { atime, mtime } = statSync(csv)
      writeFileSync(csv, text.replaceAll('app_open', 'APP_OPEN'))
      utimesSync(csv, atime, mtime)
    },
    'is deleted': () => rmSync(csv),
  }
  for (const [n, [what, change]] of Object.entries(CHANGES).entries()) {
    it(`are not known when the file ${what} while it is read`, async () => {
      const text = toCsv(sampleEvents(30 + n, 25))
      let is_changed = false
      let tellChanged!: () => void
      const changed = new Promise<void>((resolve) => {
        tellChanged = resolve
      })
      const checksum = async (path: string) => {
        const hash = await realDisk.checksum(path)
        if (path !== csv) return hash
        if (!is_changed) change(text)
        is_changed = true
        tellChanged()
        return hash
      }
      // DuckDB may have opened the file before or after, so how many rows there are is left open.
      await home.importCsv(text, { ...realDisk, checksum }).catch(() => null)
      // An import that fails does not wait for its checksum.
      await changed
      const again = await home.importCsv(text)
      assert.deepEqual([again.rows, isAnswered(again)], [25, false])
    })
  }

  it(`are at most ${IMPORTED_FILES_MAX}, and the oldest is forgotten first`, () => {
    const other = createInProcessStore()
    other.inSqlite((db) => {
      const files = openImportedFiles(db)
      const known = () => db.prepare('SELECT name FROM imported_files ORDER BY id').pluck().all()
      files.put(fileOf('a'))
      db.prepare(`UPDATE sqlite_sequence SET seq = ? WHERE name = 'imported_files'`).run(
        IMPORTED_FILES_MAX - 1,
      )
      files.put(fileOf('b'))
      assert.deepEqual(known(), ['a', 'b'])
      files.put(fileOf('c'))
      assert.deepEqual(known(), ['b', 'c'])
      files.put(fileOf('b'))
      assert.deepEqual(known(), ['c', 'b'])
    })
    return other.remove()
  })
})
