import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stageDays } from '../../src/cold/parquet.ts'
import { parseDay } from '../../src/event/time.ts'
import { realDisk } from '../../src/store/disk.ts'
import { openDuck } from '../../src/store/duckdb.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { openLayout } from '../../src/store/layout.ts'
import { howMany } from '../support/counts.ts'

const MEGABYTES = howMany('megabytes_of_wide_rows')
/** Their source may spill; a row group of all of them may not. */
const MEMORY_MB = 200 + MEGABYTES
const CHARS = 5_000
const ROWS = (MEGABYTES * 1_000_000) / CHARS

describe('days of wide events', () => {
  it('are written in row groups that fit into memory, one day or two', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'frostline-'))
    const layout = openLayout(join(dir, 'store'))
    const db = openStore(layout.database)
    const duck = await openDuck({ threads: 1, memory_mb: MEMORY_MB, spill: join(dir, 'spill') })
    t.after(() => {
      duck.close()
      db.close()
      rmSync(dir, { recursive: true })
    })
    const connection = await duck.connect()
    await connection.run(
      `CREATE TABLE wide AS SELECT md5(n::VARCHAR)::UUID AS event_id, make_timestamptz(1754006400000000 + n) AS occurred_at,
         'u' || (n * 7919 % 1000) AS user_id, 't' AS event_type, rpad(n::VARCHAR, ${CHARS}, 'x') AS properties, n FROM range(${ROWS}) r(n)`,
    )
    const first = parseDay('2025-08-01')!
    for (const days of [1, 2]) {
      const source = `SELECT * EXCLUDE (n), (${first} + n % ${days})::INTEGER AS day FROM wide`
      const wanted = Array.from({ length: days }, (_, i) => ({ day: first + i, rows: ROWS / days }))
      const { files } = await stageDays(connection, db, realDisk, layout, wanted, source, 'compaction')
      assert.deepEqual(
        files.map(({ file }) => [file.day, file.rows]),
        wanted.map(({ day, rows }) => [day, rows]),
      )
      for (const { staged } of files) {
        const groups = await connection.runAndReadAll(
          `SELECT max(row_group_num_rows)::INTEGER FROM parquet_metadata('${staged}')`,
        )
        assert.ok((groups.getRows()[0]![0] as number) * CHARS <= 64 * 1024 * 1024)
      }
    }
  })
})
