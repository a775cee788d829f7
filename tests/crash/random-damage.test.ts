import { rmSync } from 'node:fs'
import { randomInt } from 'node:crypto'
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { readCatalog } from '../../src/store/catalog.ts'
import { ColdFileError } from '../../src/cold/file-check.ts'
import { openEngine } from '../../src/query/engine.ts'
import type { Asked } from '../../src/questions/parts/asked.ts'
import { openStoreForReading } from '../../src/store/sqlite.ts'
import { readTiers } from '../../src/store/tiers.ts'
import { howMany } from '../support/counts.ts'
import { askedFor } from '../support/asked.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, seeded } from '../support/sample.ts'
import { createTestStore, post } from '../support/store.ts'
import { verify, damageOf, fill, filesOf } from '../support/verifying.ts'

/** The same damage again: FROSTLINE_SEED=17 node tests/run.js random-damage. */
const SEED = Number(process.env['FROSTLINE_SEED'] ?? randomInt(1_000_000))

const PLACES = howMany('damaged_places')
const SINGLE_PLACES = howMany('damaged_places_one_by_one')

/** Of these, how many the command is asked too; a process takes as long as twenty of the others. */
const BY_COMMAND = howMany('damaged_places_told_by_command')

const NEVER = new AbortController().signal

/** Runs a change of a file's bytes, and gives the bytes back. */
async function withDamage(
  path: string,
  random: () => number,
  act: (what: string) => Promise<void>,
): Promise<void> {
  const bytes = readFileSync(path)
  const at = Math.floor(random() * bytes.length)
  const bit = Math.floor(random() * 8)
  const cut = random() < 0.25
  const damaged = Buffer.from(bytes)
  damaged[at]! ^= 1 << bit
  writeFileSync(path, cut ? bytes.subarray(0, at) : damaged)
  try {
    await act(cut ? `cut at byte ${at}` : `bit ${bit} of byte ${at} flipped`)
  } finally {
    writeFileSync(path, bytes)
    // Beside a database lies what its readers have made of it.
    for (const ending of ['-wal', '-shm']) rmSync(path + ending, { force: true })
  }
}

/** The same in each of several files at once. */
async function withDamageInEach(
  [path, ...others]: readonly string[],
  random: () => number,
  act: (what: string) => Promise<void>,
): Promise<void> {
  if (path === undefined) return act('')
  await withDamage(path, random, (what) =>
    withDamageInEach(others, random, (more) => act(`${path} ${what}\n${more}`)),
  )
}

describe(`damage at random places (FROSTLINE_SEED=${SEED})`, () => {
  const [from, to] = ['2025-08-01', '2025-08-05']
  const questions = [
    askedFor('top-events', { from, to, limit: '100' }),
    askedFor('dau', { from, to }),
    askedFor('retention', { start_date: from }),
  ]
  const store = createTestStore()
  let home: InProcessStore
  let random: () => number
  before(async () => {
    home = createInProcessStore()
    await home.start()
    await fill(home)
    await home.stop()
    home.inSqlite((db) => db.pragma('wal_checkpoint(TRUNCATE)'))
  })
  beforeEach(() => {
    random = seeded(SEED)
  })
  after(async () => {
    await store.remove()
    await home.remove()
  })

  /** Answers and tiers, as a service that has just started gives them. */
  async function answersOf(asked: readonly Asked[]): Promise<unknown[]> {
    const db = openStoreForReading(home.layout.database)
    try {
      const engine = await openEngine(db, home.layout, { threads: 1, memory_mb: 256 })
      try {
        const answers: unknown[] = [readTiers(db)]
        for (const question of asked) answers.push((await engine.ask(question, NEVER)).rows)
        return answers
      } finally {
        await engine.close()
      }
    } finally {
      db.close()
    }
  }

  function hotRows(): unknown[] {
    const db = openStoreForReading(home.layout.database)
    try {
      return db.prepare('SELECT * FROM events ORDER BY seq').all()
    } finally {
      db.close()
    }
  }

  it(`of cold files is found ${PLACES} times of ${PLACES}`, async () => {
    const paths = filesOf(home).map(({ path }) => path)
    const files = paths.map((path) => join(home.layout.cold, path))
    for (let n = 0; n < PLACES; n += files.length) {
      await withDamageInEach(files, random, async (what) => {
        const { damage } = await verify(home.layout, true)
        assert.deepEqual(damage.map(({ path }) => path).toSorted(), paths.toSorted(), what)
        if (n >= BY_COMMAND) return
        const { code, stdout } = await store.cli(['verify', '--deep'], {
          DATA_DIR: dirname(home.layout.database),
        })
        assert.equal(code, 1, what)
        for (const path of paths) assert.ok(stdout.includes(`damage  ${path} `), what)
      })
    }
    assert.deepEqual(await damageOf(home.layout, true), [])
  })

  it(`of cold files is never answered with a number, ${SINGLE_PLACES} times of ${SINGLE_PLACES}`, async () => {
    const files = filesOf(home)
    for (let n = 0; n < SINGLE_PLACES; n += 1) {
      const file = files[Math.floor(random() * files.length)]!
      await withDamage(join(home.layout.cold, file.path), random, async (what) => {
        const question = questions[n % questions.length]!
        await assert.rejects(answersOf([question]), (error) => error instanceof ColdFileError, what)
      })
    }
  })

  it(`of id segments is found ${SINGLE_PLACES} times of ${SINGLE_PLACES}, and lets no replay in`, async () => {
    const cold = sampleEvents(1, 900, '2025-08-01', 3)
    const bytes = readFileSync(home.layout.database)
    const paths = home.inSqlite((db) => readCatalog(db).segments).map(({ path }) => path)
    const segments = paths.map((path) => join(home.layout.ids, path))
    for (let n = 0; n < SINGLE_PLACES; n += segments.length) {
      await withDamageInEach(segments, random, async (what) => {
        const { damage } = await verify(home.layout, true)
        assert.deepEqual(
          damage.map((finding) => finding.path).toSorted(),
          paths.map((path) => join('ids', path)).toSorted(),
          what,
        )
        if (n >= BY_COMMAND) return
        await home.start()
        assert.equal((await post(`${home.url}/events`, cold)).json['duplicates'], cold.length, what)
        await home.stop()
        assert.deepEqual(await damageOf(home.layout, true), [], what)
        // The store as it was, with the segments that are put back.
        writeFileSync(home.layout.database, bytes)
      })
    }
    assert.deepEqual(await damageOf(home.layout, true), [])
  })

  it('of the database is found, or changes no answer, or lies in the values of one hot row', async (t) => {
    const sound = await answersOf(questions)
    const rows = hotRows()
    const seen = { found: 0, harmless: 0, hot_row: 0 }
    for (let n = 0; n < SINGLE_PLACES; n += 1) {
      await withDamage(home.layout.database, random, async (what) => {
        // A database that refuses to be opened is found too.
        const damage = await verify(home.layout, true).then((r) => r.damage, String)
        if (damage.length > 0) {
          seen.found += 1
          return
        }
        const answers = await answersOf(questions)
        const changed = hotRows().filter((row, i) => JSON.stringify(row) !== JSON.stringify(rows[i]))
        assert.deepEqual(answers[0], sound[0], `the tiers differ: ${what}`)
        // SQLite has no checksum of its rows: this is what nobody can find. Yet no row is lost by it.
        if (changed.length > 0) {
          assert.equal(changed.length, 1, what)
          seen.hot_row += 1
          return
        }
        assert.deepEqual(answers, sound, what)
        seen.harmless += 1
      })
    }
    t.diagnostic(JSON.stringify(seen))
    assert.ok(seen.found > 0)
    assert.deepEqual(await answersOf(questions), sound)
  })
})
