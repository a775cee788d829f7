import assert from 'node:assert/strict'
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { FOLD_RATIO, isComplete, planFold, SMALL_SEGMENT_IDS } from '../../src/cold/id-index.ts'
import {
  ENTRY_BYTES,
  IdEntries,
  IdSegment,
  IdSegmentError,
  mergeSegments,
  writeSegment,
} from '../../src/cold/id-segment.ts'
import { realDisk } from '../../src/store/disk.ts'
import { fingerprint, IdDigest } from '../../src/event/id.ts'
import type { Day } from '../../src/event/time.ts'
import { howMany } from '../support/counts.ts'
import { seeded } from '../support/sample.ts'

type Words = [number, number, number, number]
const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const words = fc.tuple(word, word, word, word)

function daysOf(segment: IdSegment, id: Words): Day[] {
  const { low, high } = fingerprint(...id)
  const days: Day[] = []
  segment.find(low, high, days)
  return days
}

const randomIds = (seed: number, count: number): { id: Words; day: Day }[] => {
  const random = seeded(seed)
  const next = () => Math.floor(random() * 2 ** 32)
  return Array.from({ length: count }, (_, n) => ({ id: [next(), next(), next(), next()], day: n % 700 }))
}

const digestOf = (...numbers: number[]) => {
  const digest = new IdDigest()
  for (const n of numbers) digest.add(n, n, n, n)
  return { id_digest: digest.toString(), count: digest.count }
}
const fileOf = (...numbers: number[]) => {
  const { id_digest, count } = digestOf(...numbers)
  const rest = {
    path: '',
    day: 1,
    bytes: 1,
    min_ts: 0,
    max_ts: 0,
    checksum: '',
    origin: 'import' as const,
  }
  return { ...rest, rows: count, id_digest }
}
const segmentOf = (...numbers: number[]) => {
  const { id_digest, count } = digestOf(...numbers)
  return { path: '', ids: count, checksum: '', id_digest }
}

async function open(path: string, count: number): Promise<IdSegment> {
  return IdSegment.open(path, count, await realDisk.checksum(path))
}

describe('an id segment', () => {
  let dir: string
  let files = 0
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'frostline-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  const newPath = () => {
    files += 1
    return join(dir, `${files}.ids`)
  }

  function write(ids: readonly { id: Words; day: Day }[], expected = ids.length): string {
    const entries = new IdEntries(expected)
    for (const { id, day } of ids) entries.add(...id, day)
    const path = newPath()
    writeSegment(path, entries)
    return path
  }

  it('knows the days of its ids and nothing of others, one of it or many', async () => {
    const segment_ids = fc.array(fc.record({ id: words, day: fc.integer({ min: 0, max: 65_535 }) }), {
      maxLength: 200,
    })
    await fc.assert(
      fc.asyncProperty(segment_ids, words, fc.nat(3), async (ids, other, expected) => {
        const segment = await open(write(ids, expected), ids.length)
        for (const { id, day } of ids) assert.ok(daysOf(segment, id).includes(day))
        if (!ids.some(({ id }) => id.join() === other.join())) assert.deepEqual(daysOf(segment, other), [])
        segment.close()
      }),
      { numRuns: 60 },
    )
  })

  // Around the sizes at which it gets more buckets; the last has so many that they are chosen by more than 16 bits' worth of memory.
  for (const count of [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100_000, 1_100_000]) {
    it(`finds each of ${count} ids and none of as many others`, async () => {
      const ids = randomIds(count + 1, count)
      const segment = await open(write(ids), count)
      const asked = howMany('ids_looked_up')
      const others = randomIds(count + 2, Math.min(Math.max(count, 1_000), asked))
      const step = Math.ceil(count / asked)
      const some = step <= 1 ? ids : ids.filter((_, n) => n % step === 0)
      assert.equal(
        some.find(({ id, day }) => daysOf(segment, id).join() !== String(day)),
        undefined,
      )
      assert.equal(
        others.find(({ id }) => daysOf(segment, id).length > 0),
        undefined,
      )
      segment.close()
    })
  }

  it('takes no more than 2.5 bytes of memory an id', async () => {
    for (const count of [1_000, 16_383, 16_384, 500_000]) {
      const segment = await open(write(randomIds(9, count)), count)
      assert.ok(segment.memory_bytes / count <= 2.5, `${segment.memory_bytes / count} with ${count} ids`)
      segment.close()
    }
  })

  it('names every day of ids that nobody can tell apart by 48 bits', async () => {
    const id: Words = [1, 2, 3, 4]
    const segment = await open(write([7, 0, 65_535].map((day) => ({ id, day }))), 3)
    assert.deepEqual(daysOf(segment, id).toSorted(), [0, 65_535, 7].toSorted())
    segment.close()
  })

  it('has no room for a day after 2149-06-06', () => {
    const entries = new IdEntries(1)
    entries.add(1, 2, 3, 4, 65_535)
    assert.throws(() => entries.add(1, 2, 3, 4, 65_536), RangeError)
    assert.throws(() => entries.add(1, 2, 3, 4, -1), RangeError)
  })

  it('is refused when it is missing, shorter, longer, or other by one bit', async () => {
    const path = write(randomIds(3, 500))
    const checksum = await realDisk.checksum(path)
    const original = readFileSync(path)
    const refused = () => assert.rejects(IdSegment.open(path, 500, checksum), IdSegmentError)
    truncateSync(path, original.length - 1)
    await refused()
    truncateSync(path, 0)
    await refused()
    writeFileSync(path, original)
    appendFileSync(path, Buffer.alloc(ENTRY_BYTES))
    await refused()
    const random = seeded(4)
    for (let n = 0; n < 50; n += 1) {
      const altered = Buffer.from(original)
      altered[Math.floor(random() * altered.length)]! ^= 1 << Math.floor(random() * 8)
      writeFileSync(path, altered)
      await refused()
    }
    rmSync(path)
    await refused()
  })

  it('is refused when its file is cut, anywhere, while it is read', async () => {
    const whole = write(randomIds(6, 200_000))
    const checksum = await realDisk.checksum(whole)
    for (const left of [0, 3, ENTRY_BYTES, 2 ** 20, 2 ** 20 + 3, 2 ** 20 + ENTRY_BYTES]) {
      const path = newPath()
      copyFileSync(whole, path)
      const opening = IdSegment.open(path, 200_000, checksum)
      truncateSync(path, left)
      await assert.rejects(opening, IdSegmentError, `${left} bytes`)
    }
  })

  it('notices that its file was written to while it is open, and does not mind that it was deleted', async () => {
    const ids = randomIds(5, 100)
    const path = write(ids)
    const segment = await open(path, ids.length)
    assert.equal(segment.is_unchanged, true)
    const bytes = readFileSync(path)
    bytes[4]! ^= 1
    writeFileSync(path, bytes)
    assert.equal(segment.is_unchanged, false)
    segment.close()
    const again = await open(path, ids.length)
    rmSync(path)
    assert.equal(again.is_unchanged, true)
    assert.deepEqual(daysOf(again, ids[50]!.id), [ids[50]!.day])
    again.close()
  })

  it('made of several is the one that would have been written at once', async () => {
    const at_a_time = howMany('ids_merged_at_a_time')
    // The last is larger than what is merged at a time.
    for (const sizes of [
      [0, 1],
      [10, 0, 3],
      [1_000, 20, 5],
      [at_a_time + 100_000, 30_000],
    ]) {
      const parts = sizes.map((count, n) => randomIds(count + n, count))
      const target = newPath()
      mergeSegments(
        parts.map((ids) => write(ids)),
        target,
        at_a_time,
      )
      assert.equal(await realDisk.checksum(target), await realDisk.checksum(write(parts.flat())))
    }
  })
})

describe('the index of cold ids', () => {
  it('leaves no segment that is not far larger than all below it', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 10_000_000 }))
    fc.assert(
      fc.property(fc.array(size, { maxLength: 40 }), (sizes) => {
        const segments = sizes.map((ids) => ({ ids }))
        const chosen = planFold(segments)
        assert.notEqual(chosen.length, 1)
        const left = segments.filter((segment) => !chosen.includes(segment)).map(({ ids }) => ids)
        let below = chosen.reduce((n, { ids }) => n + ids, 0)
        for (const ids of left.toSorted((a, b) => a - b)) {
          if (below > 0)
            assert.ok(ids > Math.max(below * FOLD_RATIO, SMALL_SEGMENT_IDS), `${ids} over ${below}`)
          below += ids
        }
      }),
    )
  })

  it('stays small through years of days, and rewrites little', () => {
    let segments: { ids: number }[] = []
    let rewritten = 0
    let most = 0
    const days = 3_650
    for (let day = 0; day < days; day += 1) {
      segments.push({ ids: 30_000 })
      const chosen = planFold(segments)
      if (chosen.length > 0) {
        const ids = chosen.reduce((n, segment) => n + segment.ids, 0)
        rewritten += ids
        segments = [...segments.filter((segment) => !chosen.includes(segment)), { ids }]
      }
      most = Math.max(most, segments.length)
    }
    assert.ok(most <= 8, `${most} segments`)
    assert.ok(rewritten / (days * 30_000) <= 15, `each id rewritten ${rewritten / (days * 30_000)} times`)
  })

  it('is complete only with the very ids of the files', () => {
    assert.equal(isComplete([], []), true)
    assert.equal(isComplete([fileOf(1, 2), fileOf(3)], [segmentOf(3, 1), segmentOf(2)]), true)
    assert.equal(isComplete([fileOf(1, 2), fileOf(3)], [segmentOf(3, 1)]), false)
    assert.equal(isComplete([fileOf(1, 2)], [segmentOf(1, 3)]), false)
    assert.equal(isComplete([fileOf(1)], [segmentOf(1), segmentOf(1)]), false)
  })
})
