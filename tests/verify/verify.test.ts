import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { applyChange } from '../../src/store/catalog.ts'
import type { ColdFile } from '../../src/store/catalog.ts'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { parseDay } from '../../src/event/time.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'
import { logOf, untilLogged } from '../support/log-lines.ts'
import { verify, damageOf, fill, filesOf } from '../support/verifying.ts'

/** With the two files that it has, a day is merged in the third. */
const ROUNDS = howMany('rounds_under_verify')

describe('verify', () => {
  let filled: InProcessStore
  let home: InProcessStore
  before(async () => {
    filled = createInProcessStore()
    await filled.start()
    await fill(filled)
    await filled.stop()
  })
  after(() => filled.remove())
  beforeEach(() => {
    home = createInProcessStore(filled)
  })
  afterEach(() => home.remove())

  const pathOf = (file: ColdFile) => join(home.layout.cold, file.path)
  const sql = (text: string) => home.inSqlite((db) => db.exec(text))

  it('finds nothing wrong in a sound store, also after a merge and an import, while the service runs', async () => {
    await home.start()
    await home.importCsv(toCsv(sampleEvents(4, 200, '2025-08-02', 3)))
    for (let n = 0; n < 3; n += 1) {
      await post(`${home.url}/events`, sampleEvents(10 + n, 50, '2025-08-01', 1))
      await home.compact({ grace_s: 1_000 })
    }
    for (const deep of [false, true]) {
      const { files, events, damage, notes } = await verify(home.layout, deep)
      assert.deepEqual({ files, events, damage, notes }, { files: 7, events: 1_750, damage: [], notes: [] })
    }
  })

  it('names every file that is missing or has another size', async () => {
    const [first, second, third, fourth] = filesOf(home)
    rmSync(pathOf(first!))
    truncateSync(pathOf(second!), second!.bytes - 1)
    writeFileSync(pathOf(third!), 'x', { flag: 'a' })
    const expected = [
      `${first!.path} is missing`,
      `${second!.path} has ${second!.bytes - 1} bytes, and the catalog says ${second!.bytes}`,
      `${third!.path} has ${third!.bytes + 1} bytes, and the catalog says ${third!.bytes}`,
    ]
    assert.deepEqual(await damageOf(home.layout, false), expected)
    assert.deepEqual(await damageOf(home.layout, true), expected)
    const { damage } = await verify(home.layout, false)
    assert.deepEqual(
      damage.map(({ day }) => day),
      ['2025-08-01', '2025-08-01', '2025-08-02'],
    )
    assert.equal(fourth!.day, parseDay('2025-08-03'))
  })

  it('tells of left-overs without calling them damage', async () => {
    const [file] = filesOf(home)
    copyFileSync(pathOf(file!), join(home.layout.cold, 'day=2025-08-01/stray.parquet'))
    writeFileSync(join(home.layout.staging, 'half.parquet'), 'PAR1')
    const { damage, notes } = await verify(home.layout, true)
    assert.deepEqual(damage, [])
    assert.deepEqual(
      notes.map(({ path, what }) => `${path} ${what}`),
      ['day=2025-08-01/stray.parquet is unknown to the catalog', 'staging/half.parquet is unfinished'],
    )
  })

  it('finds rows, times and ids that are not those of the catalog', async () => {
    const [file] = filesOf(home)
    const wrongs = {
      'rows = rows + 1': `has ${file!.rows} rows, and the catalog says ${file!.rows + 1}`,
      "id_digest = '0000000000000000'": 'holds other event ids than the catalog says',
      'min_ts = min_ts + 1': 'begins or ends at another time than the catalog says',
      'max_ts = max_ts - 1': 'begins or ends at another time than the catalog says',
      'day = day + 1': 'is listed in the catalog under another day, or under no day',
    }
    for (const [change, what] of Object.entries(wrongs)) {
      sql(`UPDATE cold_files SET ${change} WHERE path = '${file!.path}'`)
      assert.ok((await damageOf(home.layout, true)).includes(`${file!.path} ${what}`), change)
      const { rows, id_digest, min_ts, max_ts, day } = file!
      home.inSqlite((db) =>
        db
          .prepare(
            'UPDATE cold_files SET rows = ?, id_digest = ?, min_ts = ?, max_ts = ?, day = ? WHERE path = ?',
          )
          .run(rows, id_digest, min_ts, max_ts, day, file!.path),
      )
    }
    assert.deepEqual(await damageOf(home.layout, true), [])
  })

  it('finds rows of other days', async () => {
    const [file] = filesOf(home)
    const path = 'day=2025-08-03/moved.parquet'
    renameSync(pathOf(file!), join(home.layout.cold, path))
    sql(
      `UPDATE cold_files SET path = '${path}', day = ${parseDay('2025-08-03')} WHERE path = '${file!.path}'`,
    )
    assert.deepEqual(await damageOf(home.layout, true), [`${path} holds ${file!.rows} rows of other days`])
  })

  it('finds an id that is stored twice, within cold and over both tiers', async () => {
    const [file] = filesOf(home)
    const copy = { ...file!, path: 'day=2025-08-01/copy.parquet' }
    copyFileSync(pathOf(file!), pathOf(copy))
    home.inSqlite((db) => applyChange(db, { add: [copy], remove: [], seal: [], at_us: 0 }))
    const [within, ...more] = await damageOf(home.layout, true)
    assert.match(
      within!,
      new RegExp(
        `^hot and cold ${file!.rows} event ids are stored more than once, for example [0-9a-f-]{36}$`,
      ),
    )
    assert.deepEqual(more, [])
    sql(`DELETE FROM cold_files WHERE path = '${copy.path}'`)

    const { event_id } = sampleEvents(1, 1, '2025-08-01', 3)[0]!
    sql(`INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
      VALUES (x'${event_id.replaceAll('-', '')}', 1754300000000000, 'u', 't', '{}')`)
    assert.deepEqual(await damageOf(home.layout, true), [
      `hot and cold 1 event ids are stored more than once, for example ${event_id}`,
    ])
  })

  it('finds hot rows that are hidden without being in cold, and a seal that would hide rows to come', async () => {
    const hot = parseDay('2025-08-04')!
    const newest = 1_400
    sql(`INSERT INTO cold_days (day, sealed_through, generation) VALUES (${hot}, ${newest}, 1)`)
    const [hidden, ...more] = await damageOf(home.layout, true)
    assert.match(hidden!, /^hot and cold 400 event ids are sealed in hot but missing from cold/)
    assert.deepEqual(more, [])
    sql(`UPDATE cold_days SET sealed_through = ${newest + 1} WHERE day = ${hot}`)
    assert.deepEqual(await damageOf(home.layout, false), [
      `frostline.db seals rows up to ${newest + 1}, and the newest is ${newest}`,
    ])
  })

  it('takes sealed rows that were not collected yet for what they are', async () => {
    const [day] = filesOf(home).map((file) => file.day)
    const { event_id, occurred_at } = sampleEvents(1, 900, '2025-08-01', 3).find(
      (e) => e.occurred_at < '2025-08-02',
    )!
    sql(`INSERT INTO events (seq, event_id, occurred_at, user_id, event_type, properties)
      VALUES (1, x'${event_id.replaceAll('-', '')}', ${Date.parse(occurred_at) * 1_000}, 'u', 't', '{}')`)
    assert.ok(day === parseDay('2025-08-01'))
    assert.deepEqual(await damageOf(home.layout, true), [])
  })

  it('looks again when a merge takes a file away under it', async () => {
    for (const deep of [false, true]) {
      const [old] = filesOf(home)
      const copy = { ...old!, path: old!.path.replace('.parquet', '-new.parquet') }
      const disk: ColdDisk = {
        ...realDisk,
        size(path) {
          if (path === pathOf(old!)) {
            renameSync(path, pathOf(copy))
            home.inSqlite((db) => applyChange(db, { add: [copy], remove: [old!.path], seal: [], at_us: 0 }))
          }
          return realDisk.size(path)
        },
      }
      const { files, damage } = await verify(home.layout, deep, disk)
      assert.deepEqual({ files, damage }, { files: 4, damage: [] })
    }
  })

  it('finds nothing wrong while events come and compactions move and merge them', async () => {
    await home.start()
    let checks = 0
    const done = new AbortController()
    const checking = (async () => {
      while (!done.signal.aborted) {
        assert.deepEqual(await damageOf(home.layout, true), [])
        checks += 1
      }
    })()
    try {
      for (let n = 0; n < ROUNDS; n += 1) {
        await post(`${home.url}/events`, sampleEvents(100 + n, 60, '2025-08-01', 2))
        await home.compact()
      }
    } finally {
      done.abort()
    }
    await checking
    assert.ok(checks > 0)
  })
})

describe('the verify command', () => {
  const store = createTestStore()
  after(() => store.remove())

  it('says where there is no store, and makes none', async () => {
    const { code, stdout, stderr } = await store.cli(['verify'])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /There is no store/)
    assert.equal((await store.cli(['verify'])).code, 1)
  })

  it('leaves with 0 and a summary, or with 1 and the list, on stdout; progress goes to stderr', async () => {
    const csv = join(store.dir, 'events.csv')
    writeFileSync(csv, toCsv(sampleEvents(1, 300, '2025-08-01', 2)))
    assert.equal((await store.cli(['import', csv])).code, 0)
    const sound = await store.cli(['verify', '--deep'])
    assert.equal(sound.code, 0, sound.stdout)
    assert.match(sound.stdout, /^Checked 300 events and 2 cold files in \d.* m?s: no damage\.\n$/)
    assert.match(sound.stderr, /^store: .*\nchecking database\nchecking cold files/)

    const day = join(store.data_dir, 'cold/day=2025-08-02')
    const [name] = realDisk.list(day)
    const bytes = readFileSync(join(day, name!))
    bytes[100]! ^= 1
    writeFileSync(join(day, name!), bytes)
    assert.equal((await store.cli(['verify'])).code, 0, 'a light check reads no bytes')
    const altered = await store.cli(['verify', '--deep'])
    assert.equal(altered.code, 1)
    const path = `day=2025-08-02/${name}`
    assert.equal(altered.stdout.split('\n')[0], `damage  ${path} does not match its checksum`)
    const { code, stdout } = await store.cli(['verify', '--deep', '--json'])
    assert.equal(code, 1)
    const report = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual(report['damage'], [{ path, day: '2025-08-02', what: 'does not match its checksum' }])
  })
})

describe('the check by the clock', { timeout: HANGS_AFTER_MS }, () => {
  it('tells damage in /readyz and once in the log, and takes it back when the file is there again', async (t) => {
    const store = createTestStore()
    t.after(() => store.remove())
    const csv = join(store.dir, 'events.csv')
    writeFileSync(csv, toCsv(sampleEvents(1, 300, '2025-08-01', 2)))
    assert.equal((await store.cli(['import', csv])).code, 0)
    const service = await store.serve({ VERIFY_INTERVAL_S: '1' })
    const [name] = realDisk.list(join(store.data_dir, 'cold/day=2025-08-02'))
    const path = `day=2025-08-02/${name}`
    const finding = { path, day: '2025-08-02', what: 'is missing' }
    const ready = async () => await get(`${service.url}/readyz`)
    assert.deepEqual(await ready(), { status: 200, json: { status: 'ready' } })

    renameSync(join(store.data_dir, 'cold', path), join(store.dir, 'kept'))
    const line = await untilLogged(service, ({ msg }) => msg === 'the store is damaged')
    assert.deepEqual({ path: line['path'], day: line['day'], what: line['what'] }, finding)
    assert.deepEqual(await ready(), { status: 200, json: { status: 'ready', damage: [finding] } })
    // A second finding shows that another check has run, and did not tell the first again.
    truncateSync(
      join(
        store.data_dir,
        'cold/day=2025-08-01',
        realDisk.list(join(store.data_dir, 'cold/day=2025-08-01'))[0]!,
      ),
      9,
    )
    await untilLogged(service, ({ what }) => String(what).startsWith('has 9 bytes'))
    assert.equal(logOf(service).filter(({ msg }) => msg === 'the store is damaged').length, 2)

    renameSync(join(store.dir, 'kept'), join(store.data_dir, 'cold', path))
    rmSync(join(store.data_dir, 'cold/day=2025-08-01'), { recursive: true })
    await untilLogged(service, ({ what, day }) => what === 'is missing' && day === '2025-08-01')
    const { json } = await get<{ damage: { day: string }[] }>(`${service.url}/readyz`)
    assert.deepEqual(
      json.damage.map(({ day }) => day),
      ['2025-08-01'],
    )
    assert.equal(await service.stop(), 0)
  })
})
