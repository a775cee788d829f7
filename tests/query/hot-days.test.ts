import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseDay } from '../../src/event/time.ts'
import { HOT_ROWS_KEPT_MAX, openHotDays } from '../../src/query/hot-days.ts'
import { numberUsers } from '../../src/sets/numbers.ts'
import { ALL_EVENTS } from '../../src/sets/coding.ts'
import { openDuck } from '../../src/store/duckdb.ts'
import type { Duck, DuckConnection } from '../../src/store/duckdb.ts'
import { openLayout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'

describe('the users of hot rows', () => {
  const dir = mkdtempSync(join(tmpdir(), 'frostline-'))
  const day = parseDay('2025-08-01')!
  const days = { from: day, to: day }
  let db: Sqlite
  let duck: Duck
  let connection: DuckConnection
  let seq = 0
  before(async () => {
    db = openStore(openLayout(join(dir, 'store')).database)
    duck = await openDuck({ threads: 1, memory_mb: 128, spill: join(dir, 'spill') })
    connection = await duck.connect()
    await connection.run('CREATE TABLE hot (seq BIGINT, day DATE, user_id VARCHAR, event_type VARCHAR)')
  })
  after(() => {
    connection.closeSync()
    duck.close()
    db.close()
    rmSync(dir, { recursive: true })
  })

  async function put(user_id: string): Promise<void> {
    seq += 1
    await connection.run(`INSERT INTO hot VALUES ($1::BIGINT, '2025-08-01', $2, 't')`, [seq, user_id])
  }

  it('have numbers that tell them apart, also while a job gives numbers that no set has yet', async () => {
    numberUsers(db, ['in cold'])
    const hot = openHotDays(db, connection)
    await put('in cold')
    await put('new')
    await hot.read({ rows: seq, through: seq }, 1, days)
    // A compaction that has not published its files numbers another user, who then posts.
    numberUsers(db, ['just numbered'])
    await put('just numbered')
    await put('new')
    const found = (await hot.read({ rows: seq, through: seq }, 1, days))!
    const counts = found.days.get(day)!.get(ALL_EVENTS)!
    assert.deepEqual([counts.events, counts.users.size], [4, 3])
    assert.ok(counts.users.has(1), 'who is in cold has the number of the sets')
    assert.ok([...counts.users].every((user) => user < found.numbers))
    // With the catalog that lists the file, the number is that of its sets.
    const later = (await hot.read({ rows: seq, through: seq }, 2, days))!
    assert.deepEqual([...later.days.get(day)!.get('t')!.users].toSorted(), [1, 2, 3])
  })

  it('are not kept if there are too many rows, unless the days of a question have none', async () => {
    const hot = openHotDays(db, connection)
    const mirror = { rows: HOT_ROWS_KEPT_MAX + 1, through: seq }
    assert.equal(await hot.read(mirror, 3, days), null)
    const before_all = await hot.read(mirror, 3, { from: day - 9, to: day - 1 })
    assert.equal(before_all!.days.size, 0)
    assert.notEqual(await hot.read({ ...mirror, rows: HOT_ROWS_KEPT_MAX }, 3, days), null)
  })
})
