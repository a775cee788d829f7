import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Catalog, ColdFile, IdSegmentRow } from '../../src/store/catalog.ts'
import { realDisk } from '../../src/store/disk.ts'
import { IdEntries, IdSegmentError, mergeSegments, writeSegment } from '../../src/cold/id-segment.ts'
import { openColdIds } from '../../src/cold/ids.ts'
import { openSegments } from '../../src/cold/id-segments.ts'
import type { Segments } from '../../src/cold/id-segments.ts'
import { fingerprint, IdDigest } from '../../src/event/id.ts'
import { openLayout } from '../../src/store/layout.ts'
import type { Layout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import { seeded } from '../support/sample.ts'

type Id = readonly [number, number, number, number]
const DAY = 20_000
const random = seeded(1)
const word = () => Math.floor(random() * 2 ** 32)
const newIds = (count: number) => Array.from({ length: count }, (): Id => [word(), word(), word(), word()])

function digestOf(ids: readonly Id[]): string {
  const digest = new IdDigest()
  for (const id of ids) digest.add(...id)
  return digest.toString()
}

/** A catalog whose cold files hold these ids. */
function catalogOf(ids: readonly Id[], ...rows: IdSegmentRow[]): Pick<Catalog, 'files' | 'segments'> {
  const file = { rows: ids.length, id_digest: digestOf(ids) } as ColdFile
  return { files: [file], segments: rows }
}

describe('the open segments of the index of ids', () => {
  let dir: string
  let layout: Layout
  let segments: Segments
  let names = 0
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'frostline-'))
    layout = openLayout(dir)
  })
  after(() => rmSync(dir, { recursive: true }))
  beforeEach(() => {
    segments = openSegments(layout)
  })
  afterEach(async () => {
    segments.close()
    await segments.settle()
  })

  const pathOf = ({ path }: IdSegmentRow) => join(layout.ids, path)

  async function rowOf(path: string, ids: readonly Id[]): Promise<IdSegmentRow> {
    const checksum = await realDisk.checksum(join(layout.ids, path))
    return { path, ids: ids.length, checksum, id_digest: digestOf(ids) }
  }

  async function write(ids: readonly Id[]): Promise<IdSegmentRow> {
    const entries = new IdEntries(ids.length)
    for (const id of ids) entries.add(...id, DAY)
    const path = `${(names += 1)}.ids`
    writeSegment(join(layout.ids, path), entries)
    return rowOf(path, ids)
  }

  async function fold(parts: readonly IdSegmentRow[], ids: readonly Id[]): Promise<IdSegmentRow> {
    const path = `${(names += 1)}.ids`
    mergeSegments(parts.map(pathOf), join(layout.ids, path))
    return rowOf(path, ids)
  }

  function known(ids: readonly Id[]): number {
    const answering = [...segments.answering()]
    return ids.filter((id) => {
      const { low, high } = fingerprint(...id)
      const days: number[] = []
      for (const segment of answering) segment.find(low, high, days)
      return days.length > 0
    }).length
  }

  const sizes = () => [...segments.answering()].map(({ count }) => count)

  function damage(row: IdSegmentRow): void {
    const bytes = readFileSync(pathOf(row))
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(pathOf(row), bytes)
  }

  /** Files of ids that this process has open. */
  const openFiles = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(join('/proc/self/fd', fd)).startsWith(layout.ids)
      } catch {
        return false
      }
    }).length

  const A = newIds(300)
  const B = newIds(200)
  const C = newIds(100)
  const D = newIds(50)

  it('answer while a segment is read that was put together of them, and then give way to it', async () => {
    const a = await write(A)
    const b = await write(B)
    await segments.follow(catalogOf([...A, ...B], a, b))
    const folded = await fold([a, b], [...A, ...B])
    rmSync(pathOf(a))
    rmSync(pathOf(b))
    await segments.follow(catalogOf([...A, ...B], folded))
    assert.deepEqual(sizes().toSorted(), [200, 300])
    assert.equal(known([...A, ...B]), 500)
    await segments.settle()
    assert.deepEqual(sizes(), [500])
    assert.equal(known([...A, ...B]), 500)
    assert.equal(known(newIds(1_000)), 0)
    assert.equal(openFiles(), 1)
  })

  it('are joined at once by one that brings new ids, whatever else is to be read', async () => {
    const a = await write(A)
    const b = await write(B)
    await segments.follow(catalogOf([...A, ...B], a, b))
    const folded = await fold([a, b], [...A, ...B])
    const c = await write(C)
    await segments.follow(catalogOf([...A, ...B, ...C], folded, c))
    assert.deepEqual(sizes().toSorted(), [100, 200, 300])
    assert.equal(known([...A, ...B, ...C]), 600)
    await segments.settle()
    assert.deepEqual(sizes().toSorted(), [100, 500])
  })

  it('wait for one that was put together of new ids too', async () => {
    const a = await write(A)
    await segments.follow(catalogOf(A, a))
    const folded = await fold([a, await write(B)], [...A, ...B])
    await segments.follow(catalogOf([...A, ...B], folded))
    assert.deepEqual(sizes(), [500])
    assert.equal(known([...A, ...B]), 500)
  })

  it('are sound until one is written to, or one that is read beside them turns out to be damaged', async () => {
    const [a, b, c, d] = [await write(A), await write(B), await write(C), await write(D)]
    const all = [...A, ...B, ...C, ...D]
    const apart = catalogOf(all, a, b, c, d)
    await segments.follow(apart)
    const folded = await fold([a, b], [...A, ...B])
    damage(folded)
    await segments.follow(catalogOf(all, folded, await fold([c, d], [...C, ...D])))
    assert.equal(segments.are_sound, true)
    await segments.settle()
    assert.equal(segments.are_sound, false)
    assert.equal(known(all), all.length)
    assert.equal(openFiles(), 4)
    await segments.follow(apart)
    assert.equal(segments.are_sound, true)
    damage(b)
    assert.equal(segments.are_sound, false)
    segments.close()
    await assert.rejects(segments.follow(apart), IdSegmentError)
  })

  it('go on answering when one that was to be read beside them is gone, because a later one holds its ids', async () => {
    const db = openStore(layout.database)
    const all = [...A, ...B, ...C, ...D]
    const publish = (...rows: IdSegmentRow[]) =>
      db.transaction(() => {
        db.exec('DELETE FROM id_segments; UPDATE catalog SET generation = generation + 1')
        const add = db.prepare('INSERT INTO id_segments VALUES (@path, @ids, @checksum, @id_digest)')
        for (const row of rows) add.run(row)
      })()
    db.prepare(
      `INSERT INTO cold_files (path, day, rows, bytes, min_ts, max_ts, checksum, id_digest, origin)
       VALUES ('a', ${DAY}, ?, 1, 0, 0, '', ?, 'import')`,
    ).run(all.length, digestOf(all))
    const parts = [await write(A), await write(B), await write(C), await write(D)] as const
    publish(...parts)
    const cold = await openColdIds(db, layout, { memory_mb: 64, onRepair: assert.fail })
    const [a, b, c, d] = parts
    const first = await fold([c, d], [...C, ...D])
    const second = await fold([a, b], [...A, ...B])
    publish(first, second)
    await cold.catchUp()
    rmSync(pathOf(second))
    const untilOpen = async (count: number) => {
      while (openFiles() !== count) await new Promise((resolve) => setImmediate(resolve))
    }
    await untilOpen(parts.length)
    publish(await fold(parts, all))
    await cold.catchUp()
    assert.equal(openFiles(), parts.length + 1)
    await untilOpen(1)
    cold.close()
    db.close()
  })

  it('are refused when they do not hold the ids of all files, also when those that answer do', async () => {
    const a = await write(A)
    const b = await write(B)
    await segments.follow(catalogOf([...A, ...B], a, b))
    await assert.rejects(segments.follow(catalogOf([...A, ...B], a)), IdSegmentError)
    await assert.rejects(segments.follow(catalogOf([...A, ...B], a, a)), IdSegmentError)
    assert.equal(known([...A, ...B]), 500)
  })

  it('leave no file open when they are closed while one is read', async () => {
    const a = await write(A)
    const b = await write(B)
    await segments.follow(catalogOf([...A, ...B], a, b))
    await segments.follow(catalogOf([...A, ...B], await fold([a, b], [...A, ...B])))
    segments.close()
    await segments.settle()
    assert.deepEqual(sizes(), [])
    assert.equal(openFiles(), 0)
  })

  it('know every id in cold after each step, in whatever order jobs come and however many steps are missed', async () => {
    const step = fc.record({
      job: fc.constantFrom('add', 'fold', 'fold all'),
      reader: fc.constantFrom('nothing', 'follow', 'follow and settle', 'follow and wait a turn'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        segments.close()
        await segments.settle()
        let parts: { row: IdSegmentRow; ids: Id[] }[] = []
        for (const { job, reader } of steps) {
          if (job === 'add' || parts.length < 2) {
            const ids = newIds(20)
            parts.push({ row: await write(ids), ids })
          } else {
            const chosen = job === 'fold' ? parts.slice(-2) : parts
            const ids = chosen.flatMap((part) => part.ids)
            const row = await fold(
              chosen.map((part) => part.row),
              ids,
            )
            parts = [...parts.filter((part) => !chosen.includes(part)), { row, ids }]
            for (const part of chosen) rmSync(pathOf(part.row))
          }
          if (reader === 'nothing') continue
          const all = parts.flatMap((part) => part.ids)
          await segments.follow(catalogOf(all, ...parts.map((part) => part.row)))
          assert.equal(known(all), all.length)
          if (reader === 'follow and settle') await segments.settle()
          if (reader === 'follow and wait a turn') await new Promise((resolve) => setImmediate(resolve))
          assert.equal(known(all), all.length)
          assert.equal(segments.are_sound, true)
        }
        await segments.settle()
        assert.equal(openFiles(), [...segments.answering()].length)
      }),
      { numRuns: 60 },
    )
  })
})
