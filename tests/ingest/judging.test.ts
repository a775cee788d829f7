import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { encode } from '@msgpack/msgpack'
import type { Content } from '../../src/ingest/event-store.ts'
import { BRACKETS_UNCHECKED_MAX } from '../../src/event/nesting.ts'
import {
  createJudging,
  JUDGED_AT_ONCE_BYTES_MAX,
  JUDGED_IN_TURNS_BYTES_MAX,
  judgedHereMax,
  OWN_TURN_BYTES_MIN,
} from '../../src/ingest/judging.ts'
import type { Judging } from '../../src/ingest/judging.ts'
import { Problem } from '../../src/problem/problem.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { assertProblem, sendBytes } from '../support/wire.ts'

const EVENTS_MAX = 10_000
const JSON_TYPE = 'application/json'

/** A body of exactly so many bytes, with these events and spaces behind them. */
function jsonOf(events: readonly unknown[], bytes: number): Buffer<ArrayBuffer> {
  const text = JSON.stringify(events)
  assert.ok(text.length <= bytes)
  return Buffer.from(text.padEnd(bytes))
}

const MANY = howMany('events_of_a_large_body')

/** A large body of them in any format. */
const manyEvents = (seed: number) =>
  sampleEvents(seed, MANY).map((event): SampleEvent => {
    const filler = 'x'.repeat(JUDGED_IN_TURNS_BYTES_MAX / MANY)
    return { ...event, properties: { ...event.properties, filler } }
  })

const ENCODE: Readonly<Record<string, (events: readonly SampleEvent[]) => Uint8Array>> = {
  [JSON_TYPE]: (events) => Buffer.from(JSON.stringify(events)),
  'application/x-ndjson': (events) => Buffer.from(events.map((e) => JSON.stringify(e)).join('\n')),
  'text/csv': (events) => Buffer.from(toCsv(events)),
  'application/msgpack': (events) => encode(events),
}

const bodyOf = (events: readonly unknown[], bytes = JUDGED_IN_TURNS_BYTES_MAX + 1) => ({
  media_type: JSON_TYPE,
  parts: [new Uint8Array(jsonOf(events, bytes))],
})

describe('a large body', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({ EVENTS_PER_REQUEST_MAX: String(EVENTS_MAX) })

  const send = (type: string, body: Uint8Array, headers: Record<string, string> = {}) =>
    sendBytes(`${store.url}/events`, { 'content-type': type, ...headers }, Buffer.from(body))

  /** What of these is stored, as it was sent. */
  function storedOf(events: readonly SampleEvent[]): SampleEvent[] {
    return store.inSqlite((db) => {
      const find = db.prepare('SELECT * FROM events WHERE event_id = ?')
      return events.flatMap((event) => {
        const row = find.get(Buffer.from(event.event_id.replaceAll('-', ''), 'hex')) as
          | { occurred_at: number; user_id: string; event_type: string; properties: string }
          | undefined
        if (row === undefined) return []
        return {
          event_id: event.event_id,
          occurred_at: new Date(row.occurred_at / 1_000).toISOString(),
          user_id: Number(row.user_id),
          event_type: row.event_type,
          properties: JSON.parse(row.properties) as Record<string, unknown>,
        }
      })
    })
  }

  for (const [n, [type, encodeAll]] of Object.entries(ENCODE).entries()) {
    it(`of ${type} is stored as it was sent`, async () => {
      const events = manyEvents(100 + n)
      const body = encodeAll(events)
      assert.ok(body.length > judgedHereMax(type))
      const { status, json } = await send(type, body)
      assert.deepEqual(
        { status, json },
        { status: 200, json: { received: MANY, accepted: MANY, duplicates: 0, rejected: 0, errors: [] } },
      )
      assert.deepEqual(storedOf(events), events)
    })
  }

  for (const bytes of [JUDGED_AT_ONCE_BYTES_MAX, JUDGED_IN_TURNS_BYTES_MAX].flatMap((max) => [
    max,
    max + 1,
  ])) {
    it(`of ${bytes} bytes, about as many as are judged in one way, is answered like any other`, async () => {
      const [good, other] = sampleEvents(bytes, 2)
      const sent = [good, { ...other, user_id: '' }, good]
      const { status, json } = await send(JSON_TYPE, jsonOf(sent, bytes))
      const message = 'user_id must be a string of 1 to 256 characters, without NUL or unpaired surrogates'
      const errors = [{ index: 1, event_id: other!.event_id, path: 'user_id', message }]
      assert.deepEqual(
        { status, json },
        { status: 200, json: { received: 3, accepted: 1, duplicates: 1, rejected: 1, errors } },
      )
      const letter = store.inSqlite((db) =>
        db.prepare('SELECT body FROM dead_letters WHERE event_id = ?').pluck().get(other!.event_id),
      )
      assert.deepEqual(JSON.parse(String(letter)), sent[1])
    })
  }

  it('that cannot be read is refused with the reason', async () => {
    const spaces = ' '.repeat(JUDGED_IN_TURNS_BYTES_MAX)
    const deep = '['.repeat(BRACKETS_UNCHECKED_MAX + 1)
    const many = JSON.stringify(Array.from({ length: EVENTS_MAX + 1 }, () => 0))
    const refusals: [string, number, string][] = [
      [`[{]${spaces}`, 400, 'not_json'],
      [`1${spaces}`, 400, 'not_an_array'],
      [deep, 400, 'nested_too_deep'],
      [many + spaces, 413, 'too_many_events'],
      [`[0]${spaces}`, 422, 'invalid_events'],
    ]
    for (const [body, status, code] of refusals) {
      assertProblem(await send(JSON_TYPE, Buffer.from(body)), status, code)
    }
  })

  it('with a key is answered from what is kept, and refused if it has changed in one byte', async () => {
    const [event] = sampleEvents(300, 1)
    const body = jsonOf([event], JUDGED_IN_TURNS_BYTES_MAX + 100)
    const key = { 'idempotency-key': 'a-large-one' }
    const first = await send(JSON_TYPE, body, key)
    const again = await send(JSON_TYPE, body, key)
    assert.deepEqual([again.status, again.json], [200, first.json])
    assert.equal(again.headers.get('idempotency-replayed'), 'true')
    assertProblem(
      await send(JSON_TYPE, jsonOf([event], JUDGED_IN_TURNS_BYTES_MAX + 101), key),
      422,
      'idempotency_key_reused',
    )
  })

  it('replays a dead letter', async () => {
    const [event] = sampleEvents(400, 1)
    await send(JSON_TYPE, jsonOf([{ ...event, event_type: '' }, event], 1_000))
    const id = store.inSqlite((db) =>
      db.prepare('SELECT id FROM dead_letters WHERE event_id = ?').pluck().get(event!.event_id),
    )
    const corrected = { ...event!, event_id: sampleEvents(401, 1)[0]!.event_id }
    const reply = await sendBytes(
      `${store.url}/dead-letters/${id}/replay`,
      { 'content-type': JSON_TYPE },
      jsonOf([corrected], JUDGED_IN_TURNS_BYTES_MAX + 1),
    )
    assert.equal(reply.status, 200, JSON.stringify(reply.json))
    assert.deepEqual(storedOf([corrected]), [corrected])
  })
})

/** Counts the turns of the event loop from now on. The returned function ends it and returns how many there were. */
function countTurns(): () => number {
  let turns = 0
  let turn: NodeJS.Immediate
  const take = () => {
    turns += 1
    turn = setImmediate(take)
  }
  take()
  return () => {
    clearImmediate(turn)
    return turns
  }
}

describe('judging', { timeout: HANGS_AFTER_MS }, () => {
  let judging: Judging
  before(() => {
    judging = createJudging({ events_max: EVENTS_MAX, timeout_ms: HANGS_AFTER_MS })
  })
  after(() => judging.close())

  it('lets others have their turn while a large body is judged', async () => {
    const events = sampleEvents(500, 2_500)
    const countedTurns = countTurns()
    const { judged, content } = await judging.body(bodyOf(events, 20 * JUDGED_AT_ONCE_BYTES_MAX))
    const turns = countedTurns()
    assert.equal(judged.received, 2_500)
    assert.ok(content instanceof Uint8Array, 'its strings were handed over one by one')
    assert.ok(turns > 10, `${turns} turns`)
  })

  it('judges an ordinary batch where it is, and lets others have their turn every few milliseconds', async (t) => {
    let now_ms = 0
    // Each look at the clock finds it a millisecond later, and there is one before each turn and one behind each event.
    const patient = createJudging({ events_max: EVENTS_MAX, timeout_ms: 1, now_ms: () => now_ms++ })
    t.after(() => patient.close())
    const countedTurns = countTurns()
    const { judged, content } = await patient.body(
      bodyOf(sampleEvents(502, 1_000), JUDGED_IN_TURNS_BYTES_MAX),
    )
    const turns = countedTurns()
    assert.deepEqual([judged.received, judged.rejected], [1_000, 0])
    assert.equal((content as Content).batch.count, 1_000)
    assert.ok(turns >= 1_000 / 4, `${turns} turns`)
  })

  it('judges a small body where it is', async () => {
    const { content } = await judging.body(bodyOf(sampleEvents(501, 1), JUDGED_AT_ONCE_BYTES_MAX))
    assert.equal((content as Content).batch.count, 1)
  })

  it('gives each of many large bodies its own judgement', async () => {
    const sizes = Array.from({ length: 20 }, (_, i) => i + 1)
    const judgements = await Promise.all(
      sizes.map((size) => judging.body(bodyOf(sampleEvents(600 + size, size)))),
    )
    assert.deepEqual(
      judgements.map(({ judged }) => judged.received),
      sizes,
    )
  })

  it('goes on with the next body when its thread dies of one', async () => {
    const fatal = { media_type: 'no/such', parts: [new Uint8Array(JUDGED_AT_ONCE_BYTES_MAX + 1)] }
    const [first, second, third] = await Promise.allSettled([
      judging.body(fatal),
      judging.body(bodyOf(sampleEvents(700, 2))),
      judging.body(bodyOf(sampleEvents(701, 3))),
    ])
    assert.equal(first.status, 'rejected')
    assert.ok(second.status === 'fulfilled' && second.value.judged.received === 2)
    assert.ok(third.status === 'fulfilled' && third.value.judged.received === 3)
  })
})

/** NDJSON of so many lines that are no events: a few bytes each, and as slow as a line can be. */
const linesOf = (count: number) => ({
  media_type: 'application/x-ndjson',
  parts: [new Uint8Array(Buffer.from('x\n'.repeat(count)))],
})

describe('a body that does not end', { timeout: HANGS_AFTER_MS }, () => {
  const EVENTS = howMany('lines_of_an_endless_body')
  const ENDLESS = linesOf(EVENTS)

  it('is refused at the time limit, and the bodies behind it are judged', async (t) => {
    const judging = createJudging({ events_max: EVENTS, timeout_ms: 500 })
    t.after(() => judging.close())
    const [endless, next, last] = await Promise.allSettled([
      judging.body(structuredClone(ENDLESS)),
      judging.body(bodyOf(sampleEvents(800, 2))),
      judging.body(bodyOf(sampleEvents(801, 3))),
    ])
    assert.ok(endless.status === 'rejected')
    assert.ok(endless.reason instanceof Problem)
    assert.equal(endless.reason.code, 'validation_timeout')
    assert.ok(next.status === 'fulfilled' && next.value.judged.received === 2)
    assert.ok(last.status === 'fulfilled' && last.value.judged.received === 3)
  })

  it('is refused when the service stops, and so are those that wait', async () => {
    const judging = createJudging({ events_max: EVENTS, timeout_ms: HANGS_AFTER_MS })
    const waiting = Promise.allSettled([
      judging.body(structuredClone(ENDLESS)),
      judging.body(bodyOf(sampleEvents(802, 2))),
    ])
    await judging.close()
    const late = judging.body(bodyOf(sampleEvents(803, 2)))
    for (const result of [...(await waiting), ...(await Promise.allSettled([late]))]) {
      assert.ok(result.status === 'rejected' && result.reason instanceof Problem)
      assert.equal(result.reason.code, 'not_ready')
    }
  })
})

describe('a service with an endless body', { timeout: HANGS_AFTER_MS }, () => {
  const LINES = 1_000_000
  const store = serveStore({ JUDGE_TIMEOUT_MS: '500', EVENTS_PER_REQUEST_MAX: String(LINES) })
  const NDJSON = { 'content-type': 'application/x-ndjson' }

  it('answers it with 503, and stores the next one', async () => {
    const endless = Buffer.from(linesOf(LINES).parts[0]!)
    const reply = await sendBytes(`${store.url}/events`, NDJSON, endless)
    assertProblem(reply, 503, 'validation_timeout')
    assert.equal(reply.headers.get('retry-after'), '5')
    // Heavy, and judged in a moment.
    const [event] = sampleEvents(810, 1)
    const next = await sendBytes(
      `${store.url}/events`,
      { 'content-type': JSON_TYPE },
      jsonOf([event], JUDGED_IN_TURNS_BYTES_MAX + 1),
    )
    assert.deepEqual([next.status, next.json['accepted']], [200, 1])
  })
})

describe('a body with more values than bytes suggest', { timeout: HANGS_AFTER_MS }, () => {
  /** Each of the shapes that are slow for their size, this many times. */
  const shapes: [string, string, (count: number) => Uint8Array][] = [
    [JSON_TYPE, 'numbers', (n) => Buffer.from(`[${'1,'.repeat(n)}1]`)],
    [JSON_TYPE, 'arrays', (n) => Buffer.from(`[${'[],'.repeat(n / 2)}[]]`)],
    [JSON_TYPE, 'objects', (n) => Buffer.from(`[${'{},'.repeat(n / 2)}{}]`)],
    ['application/x-ndjson', 'lines', (n) => Buffer.from('x\n'.repeat(n / 8 + 1))],
    [
      'text/csv',
      'rows',
      (n) => Buffer.from(`event_id,occurred_at,user_id,event_type,properties_json\n${',\n'.repeat(n / 9)}`),
    ],
    ['application/msgpack', 'values', (n) => encode(Array.from({ length: n }, () => 1))],
  ]

  let judging: Judging
  before(() => {
    judging = createJudging({ events_max: JUDGED_IN_TURNS_BYTES_MAX, timeout_ms: HANGS_AFTER_MS })
  })
  after(() => judging.close())

  for (const [media_type, name, make] of shapes) {
    it(`goes to the thread where they are ${name} of ${media_type}, and stays with half of them`, async () => {
      const VALUES = judgedHereMax(media_type) / 32
      const judge = (count: number) => judging.body({ media_type, parts: [new Uint8Array(make(count))] })
      assert.ok(make(VALUES).length < judgedHereMax(media_type))
      assert.ok((await judge(VALUES)).content instanceof Uint8Array)
      assert.ok(!((await judge(VALUES / 2)).content instanceof Uint8Array))
    })
  }

  it('is counted over all its parts', async () => {
    const text = Buffer.from(`[${'1,'.repeat(JUDGED_IN_TURNS_BYTES_MAX / 32)}1]`)
    const parts = [text.subarray(0, 100), text.subarray(100)].map((part) => new Uint8Array(part))
    assert.ok((await judging.body({ media_type: JSON_TYPE, parts })).content instanceof Uint8Array)
  })
})

/** In which later turn each of several bodies of this size is judged; 0 is the turn in which they came. */
async function turnsOf(bytes: number): Promise<number[]> {
  const judging = createJudging({ events_max: EVENTS_MAX, timeout_ms: HANGS_AFTER_MS })
  let turn = 0
  let over = false
  function count(): void {
    turn += 1
    if (!over) setImmediate(count)
  }
  const turns = Array.from({ length: 3 }, async () => {
    await judging.body(bodyOf(sampleEvents(1, 10), bytes))
    return turn
  })
  setImmediate(count)
  const seen = await Promise.all(turns)
  over = true
  await judging.close()
  return seen
}

describe('bodies that arrive in one turn of the event loop', () => {
  it('are judged at once below the size that takes long', async () => {
    assert.deepEqual(await turnsOf(OWN_TURN_BYTES_MIN - 1), [0, 0, 0])
  })

  it('get a turn each from that size on, so that others are answered between them', async () => {
    const turns = await turnsOf(OWN_TURN_BYTES_MIN)
    assert.equal(new Set(turns).size, 3, String(turns))
    assert.deepEqual(
      turns.toSorted((a, b) => a - b),
      turns,
    )
  })
})
