import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FILES_PER_DAY_MAX, isClosed, planCompaction } from '../compactor/plan.ts'
import type { DayState } from '../compactor/plan.ts'
import type { Catalog, ColdFile } from '../src/cold/catalog.ts'
import { fingerprint, formatEventId, IdDigest, isEventId, writeEventId } from '../src/event-id.ts'
import { createLine, FULL } from '../src/query/line.ts'
import { planDayGroups, planEvents, planPlaces, planQuery } from '../src/query/plan.ts'
import { daysAskedFor } from '../src/query/question.ts'
import type { EventsQuestion, Question } from '../src/query/question.ts'

const US_PER_DAY = 86_400_000_000
const day = fc.integer({ min: 0, max: 40_000 })
const hotDays = fc.integer({ min: 0, max: 400 })
const word = fc.integer({ min: 0, max: 0xffff_ffff })
const id = fc.tuple(word, word, word, word)

function planOf(hot_rows: number, cold_files: number): unknown {
  const states: DayState[] = [{ day: 7, hot_rows, cold_files }]
  return planCompaction(states, 100 * US_PER_DAY, 1)
}

describe('the compaction plan', () => {
  it('closes a day exactly when its grace ends, not one microsecond before', () => {
    fc.assert(
      fc.property(day, hotDays, (d, hot_days) => {
        const closes_us = (d + 1 + hot_days) * US_PER_DAY
        assert.equal(isClosed(d, closes_us - 1, hot_days), false)
        assert.equal(isClosed(d, closes_us, hot_days), true)
        assert.equal(isClosed(d, closes_us + 1, hot_days), true)
      }),
    )
  })

  it('moves what is hot in closed days, and nothing else, oldest day first', () => {
    const state = fc.record({
      day,
      hot_rows: fc.integer({ min: 0, max: 3 }),
      cold_files: fc.integer({ min: 0, max: 7 }),
    })
    const states = fc.uniqueArray(state, { selector: (s) => s.day, maxLength: 30 })
    fc.assert(
      fc.property(states, day, hotDays, (days, today, hot_days) => {
        const now_us = today * US_PER_DAY + 1
        const before = JSON.stringify(days)
        const steps = planCompaction(days, now_us, hot_days)
        assert.equal(JSON.stringify(days), before)
        const closed = days.filter((s) => s.day + hot_days < today)
        assert.deepEqual(
          steps.filter((s) => s.seal).map((s) => s.day),
          closed
            .filter((s) => s.hot_rows > 0)
            .map((s) => s.day)
            .toSorted((a, b) => a - b),
        )
        assert.deepEqual(
          steps.map((s) => s.day),
          steps.map((s) => s.day).toSorted((a, b) => a - b),
        )
        assert.ok(steps.every((s) => s.seal || s.merge))
      }),
    )
  })

  it('merges a day once it would have more than four files', () => {
    assert.equal(FILES_PER_DAY_MAX, 4)
    assert.deepEqual(planOf(1, 3), [{ day: 7, seal: true, merge: false }])
    assert.deepEqual(planOf(1, 4), [{ day: 7, seal: true, merge: true }])
    assert.deepEqual(planOf(0, 4), [])
    // A run that was ended between sealing and merging, or an import that added files.
    assert.deepEqual(planOf(0, 5), [{ day: 7, seal: false, merge: true }])
  })
})

function fileOf(d: number, n: number): ColdFile {
  return {
    path: `day=${d}/${n}.parquet`,
    day: d,
    rows: n,
    bytes: 1,
    min_ts: 0,
    max_ts: 0,
    checksum: '',
    id_digest: '',
    origin: 'compaction',
  }
}

function retentionDays(window: 'day' | 'week') {
  return daysAskedFor({ kind: 'retention', start: 100, windows: 3, window, segments: [] })
}

describe('the query plan', () => {
  const range = fc.tuple(day, fc.nat(60)).map(([from, length]) => ({ from, to: from + length }))
  const segments: Question['segments'] = []
  const question: fc.Arbitrary<Question> = fc.oneof(
    range.map((r): Question => ({ kind: 'dau', ...r, segments })),
    range.map((r): Question => ({ kind: 'top_events', limit: 3, ...r, segments })),
    fc
      .tuple(day, fc.integer({ min: 1, max: 9 }), fc.constantFrom('day' as const, 'week' as const))
      .map(([start, windows, window]): Question => ({ kind: 'retention', start, windows, window, segments })),
  )

  it('names exactly the files of the days asked for', () => {
    const around = fc.array(fc.integer({ min: -80, max: 80 }), { maxLength: 40 })
    fc.assert(
      fc.property(question, around, (q, offsets) => {
        const { from, to } = daysAskedFor(q)
        const files = offsets.map((offset, n) => fileOf(Math.max(0, from + offset), n))
        const catalog: Catalog = { generation: 1, files, days: [], segments: [] }
        const plan = planQuery(q, catalog, '/cold')
        const wanted = files.filter((file) => file.day >= from && file.day <= to)
        assert.deepEqual(plan.files, wanted)
        assert.equal(
          plan.cold_events,
          wanted.reduce((n, file) => n + file.rows, 0),
        )
        for (const file of files)
          assert.equal(plan.sql.includes(`'/cold/${file.path}'`), wanted.includes(file))
        assert.equal(plan.sql.includes('read_parquet'), wanted.length > 0)
      }),
    )
  })

  it('covers the cohort window and every window after it, to the day', () => {
    assert.deepEqual(retentionDays('day'), { from: 100, to: 103 })
    assert.deepEqual(retentionDays('week'), { from: 100, to: 127 })
  })

  it('binds what a client chose and never writes it into the SQL', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (property, value) => {
        const q: Question = {
          kind: 'dau',
          from: 1,
          to: 2,
          segments: [
            { field: { property: `key ${property}` }, values: [`text ${value}`] },
            { field: 'user_id', values: [`user ${value}`] },
          ],
        }
        const plan = planQuery(q, { generation: 1, files: [], days: [], segments: [] }, '/cold')
        assert.equal(
          plan.sql,
          planQuery(OTHER_VALUES, { generation: 1, files: [], days: [], segments: [] }, '/cold').sql,
        )
        assert.ok(plan.params.includes(`text ${value}`) && plan.params.includes(`user ${value}`))
      }),
    )
  })
})

const catalogOf = (files: ColdFile[]): Catalog => ({ generation: 1, files, days: [], segments: [] })

const asked = (from: number, to: number): EventsQuestion => ({
  from,
  to,
  limit: 10,
  after: null,
  segments: [],
})

describe('the plan of reading events', () => {
  it('looks at every day asked for once, newest first, each with its files and no other', () => {
    const days = fc.array(fc.integer({ min: 90, max: 200 }), { maxLength: 60 })
    const after = fc.option(fc.integer({ min: 100, max: 180 }))
    fc.assert(
      fc.property(days, fc.integer({ min: 100, max: 180 }), fc.nat(80), after, (held, from, length, at) => {
        const to = Math.min(180, from + length)
        const cursor_day = at === null ? to : Math.min(Math.max(at, from), to)
        const place = { at_us: cursor_day * US_PER_DAY + 5, event_id: OTHER_ID }
        const catalog = catalogOf(held.map((d, n) => fileOf(d, n)))
        const groups = planDayGroups({ ...asked(from, to), after: at === null ? null : place }, catalog)
        const covered: number[] = []
        for (const group of groups) {
          for (let d = group.to; d >= group.from; d -= 1) covered.push(d)
          assert.deepEqual(
            group.files,
            catalog.files.filter(({ day: d }) => d >= group.from && d <= group.to),
          )
        }
        assert.deepEqual(
          covered,
          Array.from({ length: cursor_day - from + 1 }, (_, i) => cursor_day - i),
        )
      }),
    )
  })

  it('takes what is not cold yet, then one cold day, and twice as many each time', () => {
    const files = Array.from({ length: 100 }, (_, n) => fileOf(100 + n, n))
    const sizes = planDayGroups(asked(100, 205), catalogOf(files)).map((group) => group.files.length)
    assert.deepEqual(sizes, [0, 1, 2, 4, 8, 16, 32, 37])
    assert.deepEqual(
      planDayGroups(asked(100, 199), catalogOf(files)).map((group) => group.files.length),
      [1, 2, 4, 8, 16, 32, 37],
    )
    assert.deepEqual(planDayGroups(asked(100, 199), catalogOf([])), [{ from: 100, to: 199, files: [] }])
  })

  it('binds what a client chose, and opens only the files between the places', () => {
    const files = [fileOf(1, 1), fileOf(2, 2), fileOf(3, 3), fileOf(4, 4)]
    const first = { at_us: 3 * US_PER_DAY + 7, event_id: OTHER_ID }
    const last = { at_us: 2 * US_PER_DAY, event_id: OTHER_ID }
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.uuid(), (text, event_id) => {
        const segments = [{ field: { property: `key ${text}` }, values: [`text ${text}`] }]
        const question = { ...asked(1, 4), after: { at_us: 4 * US_PER_DAY, event_id }, segments }
        const group = planDayGroups(question, catalogOf(files))[0]!
        const places = planPlaces(question, group, 3, '/cold')
        const events = planEvents(question, [first, last], 1_000, files, '/cold')
        for (const { sql, params } of [places, events]) {
          assert.ok(!sql.includes(`text ${text}`) && params.includes(`text ${text}`))
        }
        assert.ok(!places.sql.includes(event_id) && places.params.includes(event_id))
        assert.deepEqual(events.files, files.slice(1, 3))
        assert.equal(events.cold_events, 5)
      }),
    )
  })
})

const OTHER_ID = '25a4b866-040b-466f-945c-148e4720f511'

const OTHER_VALUES: Question = {
  kind: 'dau',
  from: 1,
  to: 2,
  segments: [
    { field: { property: 'k' }, values: ['v'] },
    { field: 'user_id', values: ['u'] },
  ],
}

describe('the line', () => {
  const never = new AbortController().signal

  it('lets in so many, keeps so many waiting in order, and refuses the next', async () => {
    const line = createLine(2, 2)
    const leave = await enter(line)
    await enter(line)
    const order: number[] = []
    const third = line.enter(never).then((turn) => {
      order.push(3)
      return turn
    })
    const fourth = line.enter(never).then(() => order.push(4))
    assert.equal(await line.enter(never), FULL)
    assert.deepEqual([line.running, line.waiting], [2, 2])
    leave()
    const turn = await third
    assert.deepEqual([line.running, line.waiting], [2, 1])
    assert.ok(turn !== FULL)
    turn()
    await fourth
    assert.deepEqual(order, [3, 4])
    assert.deepEqual([line.running, line.waiting], [2, 0])
  })

  it('ends a turn once, however often it is said', async () => {
    const line = createLine(1, 1)
    const leave = await enter(line)
    leave()
    leave()
    assert.equal(line.running, 0)
    await enter(line)
    leave()
    assert.equal(line.running, 1)
  })

  it('forgets who gives up while waiting, and refuses who has given up before', async () => {
    const line = createLine(1, 5)
    const leave = await enter(line)
    const client = new AbortController()
    const waiting = line.enter(client.signal)
    client.abort(new Error('gone'))
    await assert.rejects(waiting, /gone/)
    await assert.rejects(line.enter(client.signal), /gone/)
    assert.deepEqual([line.running, line.waiting], [1, 0])
    leave()
    assert.equal(line.running, 0)
  })

  it('never has more running than its limit and ends empty, whatever comes and goes', async () => {
    const visit = fc.record({ gives_up: fc.boolean(), steps: fc.nat(4) })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.nat(6),
        fc.array(visit, { maxLength: 20 }),
        async (running_max, waiting_max, visits) => {
          const line = createLine(running_max, waiting_max)
          let inside = 0
          await Promise.all(
            visits.map(async ({ gives_up, steps }) => {
              const client = new AbortController()
              const entering = line.enter(client.signal)
              if (gives_up) client.abort(new Error('gone'))
              const leave = await entering.catch(() => FULL)
              if (leave === FULL) return
              inside += 1
              assert.ok(inside <= running_max)
              for (let n = 0; n < steps; n += 1) await Promise.resolve()
              inside -= 1
              ;(leave as () => void)()
            }),
          )
          assert.deepEqual([line.running, line.waiting], [0, 0])
        },
      ),
    )
  })

  async function enter(line: ReturnType<typeof createLine>): Promise<() => void> {
    const leave = await line.enter(never)
    assert.ok(leave !== FULL)
    return leave
  }
})

describe('an event id', () => {
  it('comes back from its bytes in lower case, wherever they stand', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.nat(40), fc.boolean(), (uuid, offset, upper) => {
        const bytes = Buffer.alloc(60, 0xee)
        const written = upper ? uuid.toUpperCase() : uuid
        assert.ok(isEventId(written))
        writeEventId(written, bytes, offset)
        assert.equal(formatEventId(bytes, offset), uuid)
        assert.ok(bytes.subarray(0, offset).every((b) => b === 0xee))
        assert.ok(bytes.subarray(offset + 16).every((b) => b === 0xee))
      }),
    )
  })

  it('has a fingerprint that no single bit leaves unchanged, in either half', () => {
    fc.assert(
      fc.property(id, fc.nat(127), (words, bit) => {
        const other: typeof words = [...words]
        other[bit >> 5] = (other[bit >> 5]! ^ (1 << (bit & 31))) >>> 0
        const a = fingerprint(...words)
        const b = fingerprint(...other)
        assert.ok(a.low !== b.low && a.high !== b.high)
        for (const half of [a.low, a.high]) assert.equal(half, half | 0)
      }),
    )
  })
})

function digestOf(all: readonly (readonly [number, number, number, number])[]): IdDigest {
  const digest = new IdDigest()
  for (const words of all) digest.add(...words)
  return digest
}

describe('the digest of a set of ids', () => {
  const ids = fc.uniqueArray(id, { minLength: 1, maxLength: 60, selector: (words) => words.join() })
  it('is the same in every order, and over bytes', () => {
    fc.assert(
      fc.property(ids, fc.infiniteStream(fc.double({ noNaN: true })), (all, keys) => {
        const shuffled = all
          .map((words) => ({ words, key: keys.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ words }) => words)
        const bytes = new IdDigest()
        for (const words of all) {
          const buffer = Buffer.alloc(16)
          for (const [n, w] of words.entries()) buffer.writeUInt32BE(w, n * 4)
          bytes.addBytes(buffer)
        }
        const digest = digestOf(all)
        assert.match(digest.toString(), /^[0-9a-f]{16}$/)
        assert.equal(digestOf(shuffled).toString(), digest.toString())
        assert.equal(bytes.toString(), digest.toString())
        assert.equal(digest.count, all.length)
      }),
    )
  })

  it('adds up over parts, as a merge needs it', () => {
    fc.assert(
      fc.property(ids, fc.nat(60), (all, at) => {
        const first = digestOf(all.slice(0, at))
        const rest = digestOf(all.slice(at))
        const sum = new IdDigest()
        for (const part of [first, rest]) sum.addDigest(part.toString(), part.count)
        assert.equal(sum.toString(), digestOf(all).toString())
        assert.equal(sum.count, all.length)
      }),
    )
  })

  it('differs when an id is missing, taken twice, or another one', () => {
    fc.assert(
      fc.property(ids, id, fc.nat(), (all, other, n) => {
        fc.pre(!all.some((words) => words.join() === other.join()))
        const at = n % all.length
        const whole = digestOf(all).toString()
        assert.notEqual(digestOf(all.toSpliced(at, 1)).toString(), whole)
        assert.notEqual(digestOf(all.toSpliced(at, 1, other)).toString(), whole)
        assert.notEqual(digestOf([...all, all[at]!]).toString(), whole)
        // An id twice must not cancel itself out, as it would with XOR.
        assert.notEqual(digestOf([...all, other, other]).toString(), whole)
      }),
    )
  })
})
