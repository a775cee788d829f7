import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import Database from 'better-sqlite3'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import { get, post } from '../support/store.ts'
import { arrive, arriveInPart, begin, eventOf, getReply, slowEvents, slowSegments } from '../support/wire.ts'
import { logOf, untilLogged } from '../support/log-lines.ts'
import type { Reply } from '../support/wire.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const typeOf = (reply: Reply) => (JSON.parse(reply.text) as { type: string }).type

/** One event, and spaces up to the size. */
const bodyOf = (bytes: number) => JSON.stringify([eventOf()]).padEnd(bytes)

const batchOf = (count: number) => JSON.stringify(Array.from({ length: count }, () => eventOf()))

function assertQueueFull(reply: Reply) {
  assert.equal(reply.status, 503, reply.text)
  assert.equal(typeOf(reply), '/problems/queue_full')
  assert.equal(reply.headers['retry-after'], '1')
  assert.equal(reply.headers['content-type'], 'application/problem+json')
}
describe('a full queue', { timeout: HANGS_AFTER_MS }, () => {
  const BODY_BYTES_MAX = 3_000
  const BODIES_IN_FLIGHT_BYTES_MAX = 4_000
  const service = serveStore({
    WRITE_QUEUE_EVENTS_MAX: '10',
    BODY_BYTES_MAX: String(BODY_BYTES_MAX),
    BODIES_IN_FLIGHT_BYTES_MAX: String(BODIES_IN_FLIGHT_BYTES_MAX),
  })

  const send = async (body: string) => {
    const begun = begin(`${service.url}/events`, 'POST', {
      ...JSON_TYPE,
      'content-length': String(Buffer.byteLength(body)),
    })
    await new Promise<void>((resolve) => {
      begun.request.end(body, resolve)
    })
    // The body is read in a later turn of the service than the head.
    for (let turn = 0; turn < 3; turn += 1) await get(`${service.url}/livez`)
    return begun
  }
  it('of events refuses the next one, and takes it when there is room again', async () => {
    // While another process writes, the service's writer waits.
    const db = new Database(service.layout.database)
    db.exec('BEGIN IMMEDIATE')
    const one = batchOf(1)
    let nine: Awaited<ReturnType<typeof send>>
    let tenth: Awaited<ReturnType<typeof send>>
    try {
      nine = await send(batchOf(9))
      tenth = await send(batchOf(1))
      assertQueueFull(await (await send(one)).reply)
      assertQueueFull(await (await send(batchOf(2))).reply)
    } finally {
      db.exec('ROLLBACK')
    }
    assert.equal((await nine.reply).status, 200)
    assert.equal((await tenth.reply).status, 200)
    const { reply } = await send(one)
    assert.equal((JSON.parse((await reply).text) as { accepted: number }).accepted, 1)

    // A batch larger than the queue is taken when nothing waits: it could never be sent otherwise.
    db.exec('BEGIN IMMEDIATE')
    let large: Awaited<ReturnType<typeof send>>
    try {
      large = await send(batchOf(15))
      assertQueueFull(await (await send(batchOf(1))).reply)
    } finally {
      db.exec('ROLLBACK')
      db.close()
    }
    assert.equal((await large.reply).status, 200)
  })

  for (const [length, headers] of [
    ['announced', { 'content-length': '2600' }],
    ['unknown', {}],
  ] as const) {
    it(`of bytes counts what has come of a body of ${length} length, and has room again when that is done`, async () => {
      // Half of it.
      const rest = BODIES_IN_FLIGHT_BYTES_MAX - 1_300
      const held = await arriveInPart(service, bodyOf(2_600), headers)
      assertQueueFull(await (await send(bodyOf(rest + 1))).reply)
      assert.equal((await (await send(bodyOf(rest))).reply).status, 200)
      held.finish()
      assert.equal((await held.reply).status, 200)
      assert.equal((await (await send(bodyOf(rest + 1))).reply).status, 200)
    })
  }

  it('of bytes has room again when a client leaves within its body', async () => {
    for (const headers of [{ 'content-length': '2600' }, {}]) {
      const held = await arriveInPart(service, bodyOf(2_600), headers)
      assertQueueFull(await (await send(bodyOf(2_800))).reply)
      const left = logOf(service).filter(({ status }) => status === 499).length
      held.request.destroy()
      await untilLogged(
        service,
        () => logOf(service).filter(({ status }) => status === 499).length === left + 1,
      )
      assert.equal((await (await send(bodyOf(2_800))).reply).status, 200)
    }
    // Of level 40 is what a start without keys says.
    assert.ok(logOf(service).every(({ level, msg }) => level === 30 || String(msg).startsWith('no keys')))
  })
})

describe('a queue of rejected events', { timeout: HANGS_AFTER_MS }, () => {
  const home = serveStore({ WRITE_QUEUE_EVENTS_MAX: '1100' })

  it('counts the letters that are written, not the events', async () => {
    const send = (count: number) =>
      post(
        `${home.url}/events`,
        Array.from({ length: count }, () => 1),
      )
    const db = new Database(home.layout.database)
    db.exec('BEGIN IMMEDIATE')
    const waiting = [send(5_000), send(50)]
    // Of one connection after the other: the second is refused only when both are in the queue.
    for (let turn = 0; turn < 10; turn += 1) await get(`${home.url}/livez`)
    db.exec('ROLLBACK')
    db.close()
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ status }) => status),
      [422, 422],
    )
  })
})

describe('slow questions', { timeout: HANGS_AFTER_MS }, () => {
  const day = 'from=2025-08-01&to=2025-08-01'
  const QUICK = `/stats/dau?from=2025-09-01&to=2025-09-01`
  const EVENTS = howMany('events_of_a_slow_question')
  /** A second of work and more: every event's properties are searched again and again. */
  const SLOW = `/stats/dau?${day}${slowSegments(8)}`
  const SLOWER = `/stats/dau?${day}${slowSegments(16)}`
  const service = createInProcessStore()
  before(async () => {
    await service.start()
    const { status } = await post(`${service.url}/events`, slowEvents(EVENTS))
    assert.equal(status, 200)
    await service.stop()
  })
  afterEach(() => service.stop())
  after(() => service.remove())

  it('end at the time limit with 503, and the service answers the next', async () => {
    await service.start({
      QUERY_TIMEOUT_MS: '300',
      QUERY_THREADS: '1',
      QUERIES_RUNNING_MAX: '1',
    })
    const reply = await getReply(service.url + SLOWER)
    assert.equal(reply.status, 503, reply.text)
    assert.equal(typeOf(reply), '/problems/query_timeout')
    assert.equal(reply.headers['retry-after'], '5')
    assert.equal((await get(service.url + QUICK)).status, 200)
  })

  it('wait in a bounded line, and make room at once when their client leaves', async () => {
    await service.start({
      QUERY_TIMEOUT_MS: '600000',
      QUERY_THREADS: '1',
      QUERIES_RUNNING_MAX: '2',
      QUERIES_WAITING_MAX: '1',
    })
    const slow = await arrive(service, SLOW)
    let slow_answered = false
    const answered = slow.reply.then((reply) => {
      slow_answered = true
      return reply
    })
    const slower = await arrive(service, SLOWER)
    const waiting = await arrive(service, QUICK)

    const refused = await Promise.all(Array.from({ length: 20 }, () => getReply(service.url + QUICK)))
    for (const reply of refused) {
      assert.equal(reply.status, 503, reply.text)
      assert.equal(typeOf(reply), '/problems/query_line_full')
      assert.equal(reply.headers['retry-after'], '1')
    }
    assert.equal((await get(`${service.url}/livez`)).status, 200)

    waiting.request.destroy()
    await untilLogged(service, ({ status }) => status === 499)
    const next = await arrive(service, QUICK)
    slower.request.destroy()
    assert.equal((await next.reply).status, 200)
    // Had the slower question run on, this one would have ended first and made the room.
    assert.equal(slow_answered, false)
    assert.equal((await answered).status, 200)
    assert.equal(logOf(service).filter(({ status }) => status === 499).length, 2)
  })

  it('of one caller leave places to others, who are served next', async () => {
    await service.start({
      QUERY_TIMEOUT_MS: '600000',
      QUERY_THREADS: '1',
      QUERIES_RUNNING_MAX: '1',
      QUERIES_WAITING_MAX: '4',
      TRUSTED_PROXIES: '127.0.0.0/8',
    })
    const first = await arrive(service, SLOWER, { 'x-forwarded-for': '198.51.100.1' })
    const others = [
      await arrive(service, SLOWER, { 'x-forwarded-for': '198.51.100.1' }),
      await arrive(service, SLOWER, { 'x-forwarded-for': '198.51.100.1' }),
    ]
    const refused = await arrive(service, QUICK, { 'x-forwarded-for': '198.51.100.1' })
    assert.equal(typeOf(await refused.reply), '/problems/query_line_full')
    let answered = 0
    for (const { reply } of others) {
      reply.then(
        () => (answered += 1),
        () => {},
      )
    }
    const quick = await arrive(service, QUICK, { 'x-forwarded-for': '198.51.100.2' })
    first.request.destroy()
    assert.equal((await quick.reply).status, 200)
    assert.equal(answered, 0)
    for (const { request } of others) request.destroy()
  })

  it('that run when the service stops are answered', async () => {
    await service.start({ QUERY_TIMEOUT_MS: '600000' })
    const slow = await arrive(service, `/stats/dau?${day}${slowSegments(2)}`)
    await service.stop()
    const reply = await slow.reply
    assert.equal(reply.status, 200, reply.text)
    assert.equal((JSON.parse(reply.text) as { data: { dau: number }[] }).data[0]!.dau, EVENTS)
  })

  it('are refused at once where none may wait', async () => {
    await service.start({ QUERIES_RUNNING_MAX: '1', QUERIES_WAITING_MAX: '0' })
    const slow = await arrive(service, SLOWER)
    const replies = await Promise.all(Array.from({ length: 50 }, () => getReply(service.url + SLOW)))
    assert.deepEqual(
      replies.map((reply) => [reply.status, typeOf(reply), reply.headers['retry-after']]),
      replies.map(() => [503, '/problems/query_line_full', '1']),
    )
    slow.request.destroy()
  })
})
