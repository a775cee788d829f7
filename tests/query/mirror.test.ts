import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { applyChange } from '../../src/store/catalog.ts'
import { openDuck } from '../../src/store/duckdb.ts'
import type { Duck, DuckConnection } from '../../src/store/duckdb.ts'
import { openMirror } from '../../src/query/mirror.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { howMany } from '../support/counts.ts'
import { coldFileOf } from '../support/cold-file.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { idFor } from '../support/sample.ts'
import { VISIBLE_HOT } from '../support/visible.ts'

const US_PER_DAY = 86_400_000_000

/** Of two days: half of them, dead, are not yet enough for the table to be written anew. */
const MANY = 80_000

const hexOf = (text: string) => Buffer.from(text).toString('hex').toUpperCase()

describe('the mirror of the hot rows', () => {
  let duck: Duck
  let store: InProcessStore
  let db: Sqlite
  let connection: DuckConnection
  before(async () => {
    duck = await openDuck({ threads: 1, memory_mb: 256, spill: '/nonexistent' })
  })
  after(() => duck.close())
  beforeEach(async () => {
    store = createInProcessStore()
    db = openStore(store.layout.database)
    connection = await duck.connect()
  })
  afterEach(async () => {
    connection.closeSync()
    db.close()
    await store.remove()
  })

  function insert(first: number, count: number, days = 4): void {
    db.exec(
      `WITH RECURSIVE n (i) AS (SELECT ${first} UNION ALL SELECT i + 1 FROM n WHERE i < ${first + count - 1})
       INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
       SELECT randomblob(16), i % ${days} * ${US_PER_DAY}, 'u', 't', '{}' FROM n`,
    )
  }

  /** Makes the rows of a day up to a seq cold, as far as the catalog goes. */
  function seal(day: number, sealed_through: number): void {
    const file = coldFileOf({ path: `day=x/${day}-${sealed_through}.parquet`, day, rows: 1 })
    db.transaction(() =>
      applyChange(db, { add: [file], remove: [], seal: [{ day, sealed_through }], at_us: 0 }),
    )()
  }

  async function mirrored(): Promise<unknown[]> {
    const reader = await connection.runAndReadAll('SELECT seq::INTEGER FROM hot ORDER BY seq')
    return reader.getRows().map((row) => row[0])
  }

  function visible(): unknown[] {
    return db.prepare(`SELECT seq FROM ${VISIBLE_HOT} ORDER BY seq`).pluck().all()
  }

  it('holds the visible rows, also when rows are sealed and collected before it saw them', async () => {
    const mirror = await openMirror(db, connection)
    insert(0, 100)
    await mirror.catchUp()
    assert.deepEqual(await mirrored(), visible())
    insert(100, 100)
    seal(1, 150)
    db.exec('DELETE FROM events WHERE day = 1 AND seq <= 150')
    // Of this day the newest sealed row is still there.
    seal(2, 151)
    insert(200, 10)
    const catalog = await mirror.catchUp()
    assert.equal(catalog.files.length, 2)
    assert.deepEqual(await mirrored(), visible())
  })

  it('has the time and id of each row, to the microsecond and the byte', async () => {
    const mirror = await openMirror(db, connection)
    const ids = ['00', '7f', '80', 'ff'].map((byte) => byte.repeat(16))
    const times = [0, 1, 1_754_006_400_123_457, 7_978_521_599_999_999]
    for (const [i, id] of ids.entries()) {
      db.prepare(
        `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, ?, 'u', 't', '{}')`,
      ).run(Buffer.from(id, 'hex'), times[i]!)
    }
    await mirror.catchUp()
    const reader = await connection.runAndReadAll(
      `SELECT replace(event_id::VARCHAR, '-', ''), occurred_at_us::VARCHAR, day = make_timestamp(occurred_at_us)::DATE FROM hot ORDER BY event_id`,
    )
    assert.deepEqual(
      reader.getRows(),
      ids.map((id, i) => [id, String(times[i]!), true]),
    )
  })

  it('has every text as it is, whatever stands in it', async () => {
    const texts = [
      'a',
      ' ',
      "'",
      '"',
      ',',
      '\\',
      '\n',
      '\r\n',
      '\u0001',
      '\u001f',
      '\ufeff',
      '\ufffd',
      'ä',
      '日本',
      '👩‍🚀',
      '\u{10ffff}',
    ]
    const mirror = await openMirror(db, connection)
    const row = db.prepare(
      `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (?, 0, ?, ?, ?)`,
    )
    const rows = texts
      .flatMap((text) => [text, `x${text}`, `${text}x`])
      .map((text) => [text, `t${text}`, JSON.stringify({ text })])
    for (const [i, values] of rows.entries())
      row.run(Buffer.from(idFor(`text ${i}`).replaceAll('-', ''), 'hex'), ...values)
    await mirror.catchUp()
    const reader = await connection.runAndReadAll(
      `SELECT hex(encode(user_id)), hex(encode(event_type)), hex(encode(properties)) FROM hot ORDER BY seq`,
    )
    assert.deepEqual(
      reader.getRows(),
      rows.map((values) => values.map(hexOf)),
    )
  })

  it('refuses to guess where a value holds what stands between two', async () => {
    const mirror = await openMirror(db, connection)
    db.prepare(
      `INSERT INTO events (event_id, occurred_at, user_id, event_type, properties) VALUES (zeroblob(16), 0, 'u' || char(0) || 'v', 't', '{}')`,
    ).run()
    await assert.rejects(mirror.catchUp(), /1 hot rows were split into 2/)
  })

  it('takes rows that are together too large for one text in several', async () => {
    const rows = howMany('rows_of_32_kb')
    const bytes = 32 * 1024
    const lengths: number[] = []
    const prepare = connection.prepare.bind(connection)
    connection.prepare = async (sql) => {
      const statement = await prepare(sql)
      const bind = statement.bindVarchar.bind(statement)
      statement.bindVarchar = (at, text) => {
        lengths.push(text.length)
        bind(at, text)
      }
      return statement
    }
    const mirror = await openMirror(db, connection)
    db.exec(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
       INSERT INTO events (event_id, occurred_at, user_id, event_type, properties)
       SELECT randomblob(16), i, 'u', 't', '{"a":"' || printf('%.*c', ${bytes - 8}, 'x') || '"}' FROM n`,
    )
    await mirror.catchUp()
    assert.deepEqual(await mirrored(), visible())
    assert.equal(Math.max(...lengths), 1_000 * bytes + 999)
    const reader = await connection.runAndReadAll('SELECT min(length(properties))::INTEGER FROM hot')
    assert.deepEqual(reader.getRows(), [[bytes]])
  })

  it('holds them over many pages and after it was written anew', async () => {
    const mirror = await openMirror(db, connection)
    insert(0, MANY, 2)
    await mirror.catchUp()
    assert.equal((await mirrored()).length, MANY)
    // More dead rows than live ones, and more than the least that makes it worth it.
    seal(0, MANY)
    seal(1, MANY - 20_000)
    await mirror.catchUp()
    insert(MANY, 5, 2)
    await mirror.catchUp()
    assert.deepEqual(await mirrored(), visible())
  })

  it('leaves a question that has begun what it saw, also when the table is written anew under it', async () => {
    const mirror = await openMirror(db, connection)
    insert(0, MANY, 2)
    await mirror.catchUp()
    const question = await duck.connect()
    const count = async () =>
      (await question.runAndReadAll('SELECT count(*)::INTEGER FROM hot')).getRows()[0]![0]
    await question.run('BEGIN TRANSACTION')
    assert.equal(await count(), MANY)
    seal(0, MANY)
    await mirror.catchUp()
    assert.equal(await count(), MANY)
    insert(MANY, 10, 2)
    seal(1, MANY - 1_000)
    await mirror.catchUp()
    assert.equal(await count(), MANY)
    await question.run('COMMIT')
    assert.equal(await count(), visible().length)
    question.closeSync()
  })

  it('is right again after any of its steps has failed', async () => {
    // Fails the n-th call to DuckDB, for every n until a whole catch-up needs fewer.
    for (let failing = 1; ; failing += 1) {
      let calls = 0
      let armed = false
      const makeFlaky = <T extends object>(target: T): T =>
        new Proxy(target, {
          get(_target, name) {
            const value: unknown = Reflect.get(target, name)
            if (typeof value !== 'function') return value
            return (...args: unknown[]) => {
              calls += armed ? 1 : 0
              if (armed && calls === failing) throw new Error('out of memory')
              const result: unknown = Reflect.apply(value, target, args)
              return name === 'prepare' ? (result as Promise<object>).then(makeFlaky) : result
            }
          },
        })
      const mirror = await openMirror(db, makeFlaky(connection))
      const first = failing * 1_000
      insert(first, 400)
      await mirror.catchUp()
      seal(0, first + 200)
      seal(1, first + 300)
      seal(2, first + 250)
      insert(first + 400, 100)
      armed = true
      const failed = await mirror.catchUp().then(
        () => false,
        () => true,
      )
      armed = false
      if (!failed) {
        assert.ok(failing > 3, 'there are several steps to fail')
        return
      }
      await mirror.catchUp()
      assert.deepEqual(await mirrored(), visible(), `after call ${failing} failed`)
    }
  })
})
