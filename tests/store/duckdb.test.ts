import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { inParallel, openDuck, sqlText, sqlTextList, sweepSpill } from '../../src/store/duckdb.ts'
import { howMany } from '../support/counts.ts'

/** More than fits into the memory of each of the two that spill. */
const ROWS = howMany('rows_to_spill')

describe('DuckDB', () => {
  let spill: string
  before(() => {
    spill = mkdtempSync(join(tmpdir(), 'frostline-spill-'))
  })
  after(() => rmSync(spill, { recursive: true, force: true }))

  it('lets two instances spill at once without reading the rows of each other', async () => {
    const ducks = await Promise.all([0, 1].map(() => openDuck({ threads: 1, memory_mb: 64, spill })))
    const sums = await Promise.all(
      ducks.map(async (duck, n) => {
        const connection = await duck.connect()
        await connection.run(
          `CREATE TABLE t AS SELECT range * 2 + ${n} AS i, repeat(md5(range::VARCHAR), 4) AS pad FROM range(${ROWS})`,
        )
        const reader = await connection.runAndReadAll(
          'SELECT sum(i)::VARCHAR, count(*)::INTEGER, min(i % 2)::INTEGER, max(i % 2)::INTEGER FROM (SELECT * FROM t ORDER BY pad)',
        )
        connection.closeSync()
        return reader.getRows()[0]
      }),
    )
    const folders = readdirSync(spill)
    assert.equal(folders.length, 2)
    for (const folder of folders)
      assert.ok(readdirSync(join(spill, folder)).length > 0, 'nothing was spilled')
    assert.deepEqual(sums, [
      [String(ROWS * (ROWS - 1)), ROWS, 0, 0],
      [String(ROWS * (ROWS - 1) + ROWS), ROWS, 1, 1],
    ])
    for (const duck of ducks) duck.close()
    assert.deepEqual(readdirSync(spill), [])
  })

  it('sweeps what dead processes have spilled and leaves what living ones do', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    const [dead, living] = [join(spill, `${child.pid}-a`), join(spill, `${process.pid}-b`)]
    for (const folder of [dead, living, join(spill, 'strange')]) mkdirSync(folder)
    sweepSpill(spill)
    assert.equal(existsSync(dead), false)
    assert.equal(existsSync(living), true)
    assert.deepEqual(readdirSync(spill), [`${process.pid}-b`])
  })

  it('quotes text for SQL', async () => {
    const duck = await openDuck({ threads: 1, memory_mb: 64, spill })
    const connection = await duck.connect()
    const texts = ["it's", "'; DROP TABLE t; --", '\\', '"', '', '😀\n']
    const reader = await connection.runAndReadAll(`SELECT ${sqlTextList(texts)}, ${sqlText("a'b")}`)
    assert.deepEqual(reader.getRowsJson()[0], [texts, "a'b"])
    assert.throws(() => sqlText('\0'))
    connection.closeSync()
    duck.close()
  })

  it('works on several items at a time, and on each once', async () => {
    const duck = await openDuck({ threads: 1, memory_mb: 64, spill })
    const items = Array.from({ length: 10 }, (_, n) => n)
    const done: number[] = []
    let running = 0
    let running_max = 0
    await inParallel(duck, items, 3, async (item, connection) => {
      running += 1
      running_max = Math.max(running_max, running)
      const reader = await connection.runAndReadAll(`SELECT ${item}`)
      done.push(reader.getRows()[0]![0] as number)
      running -= 1
    })
    assert.deepEqual(
      done.toSorted((a, b) => a - b),
      items,
    )
    assert.equal(running_max, 3)
    duck.close()
  })

  it('begins no other item when one has failed, and tells it when those that were begun have ended', async () => {
    const duck = await openDuck({ threads: 1, memory_mb: 64, spill })
    const begun: number[] = []
    const ended: number[] = []
    const work = inParallel(duck, [0, 1, 2, 3, 4], 2, async (item, connection) => {
      begun.push(item)
      if (item === 1) throw new Error('the disk is full')
      await connection.run('SELECT count(*) FROM range(600000) AS a (i) WHERE md5(i::VARCHAR) = 0::VARCHAR')
      ended.push(item)
    })
    await assert.rejects(work, { message: 'the disk is full' })
    assert.deepEqual([begun, ended], [[0, 1], [0]])
    // Nothing runs any more: this would end the process otherwise.
    duck.close()
  })
})
