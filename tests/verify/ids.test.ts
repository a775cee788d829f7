import assert from 'node:assert/strict'
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { readCatalog } from '../../src/store/catalog.ts'
import { realDisk } from '../../src/store/disk.ts'
import { ENTRY_BYTES } from '../../src/cold/id-segment.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { damageOf } from '../support/verifying.ts'

describe('verify, of the index of cold ids,', { timeout: HANGS_AFTER_MS }, () => {
  const sound = createInProcessStore()
  let home: InProcessStore
  before(async () => {
    await sound.importCsv(toCsv(sampleEvents(1, 300, '2025-08-01', 2)))
    await sound.importCsv(toCsv(sampleEvents(2, 100, '2025-08-03', 1)))
  })
  after(() => sound.remove())
  beforeEach(() => {
    home = createInProcessStore(sound)
  })
  afterEach(() => home.remove())

  const sql = (text: string) => home.inSqlite((db) => db.exec(text))
  const pathOf = (name: string) => join(home.layout.ids, name)
  const segmentsOf = () => home.inSqlite((db) => readCatalog(db).segments)

  it('names every segment that is missing or has another size, at every check', async () => {
    const [first, second] = segmentsOf()
    rmSync(pathOf(first!.path))
    truncateSync(pathOf(second!.path), ENTRY_BYTES)
    for (const deep of [false, true]) {
      assert.deepEqual(await damageOf(home.layout, deep), [
        `ids/${first!.path} is missing`,
        `ids/${second!.path} has ${ENTRY_BYTES} bytes, and the catalog says ${second!.ids * ENTRY_BYTES}`,
      ])
    }
  })

  it('finds that a segment is left out, or is of a file that is not there, at every check', async () => {
    // Not that of the file that is left out first: without both of them all would be right again.
    const other = segmentsOf().find(({ ids }) => ids === 300)!
    for (const damage of [
      'DELETE FROM cold_files WHERE rows = 100',
      `DELETE FROM id_segments WHERE path = '${other.path}'`,
    ]) {
      sql(damage)
      for (const deep of [false, true])
        assert.deepEqual(await damageOf(home.layout, deep), ['ids does not match the cold files'], damage)
    }
  })

  it('finds ids that stand in no segment, or under another day, where every sum is right', async () => {
    const segment = segmentsOf().find(({ ids }) => ids === 100)!
    const path = pathOf(segment.path)
    const original = readFileSync(path)
    const { path: file } = home.inSqlite(readCatalog).files.find(({ rows }) => rows === 100)!
    // In the last entry: a bit of the fingerprint, which keeps the order, and one of the day.
    for (const [at, bit] of [
      [2, 0x01],
      [0, 0x01],
    ] as const) {
      const altered = Buffer.from(original)
      altered[original.length - ENTRY_BYTES + at]! ^= bit
      writeFileSync(path, altered)
      const checksum = await realDisk.checksum(path)
      sql(`UPDATE id_segments SET checksum = '${checksum}' WHERE path = '${segment.path}'`)
      assert.deepEqual(await damageOf(home.layout, true), [
        `${file} holds 1 event ids that are missing from the index`,
      ])
    }
    writeFileSync(path, original)
    sql(`UPDATE id_segments SET checksum = '${segment.checksum}' WHERE path = '${segment.path}'`)
    assert.deepEqual(await damageOf(home.layout, true), [])
  })
})
