import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { createKey } from '../../src/auth/keys.ts'
import { openKeptReplies } from '../../src/ingest/idempotency.ts'
import { IDEMPOTENCY_KEY_CHARS_MAX } from '../../src/ingest/keys-in-flight.ts'
import { nowMicros } from '../../src/event/time.ts'
import { howMany } from '../support/counts.ts'
import { serveStore } from '../support/in-process.ts'
import { createTestStore, get } from '../support/store.ts'
import { begin, eventOf } from '../support/wire.ts'

interface Answer {
  status: number
  replayed: boolean
  retry_after: string | null
  json: Record<string, unknown>
}

async function send(url: string, key: string | undefined, body: unknown, query = ''): Promise<Answer> {
  const response = await fetch(`${url}/events${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: JSON.stringify(body),
  })
  return {
    status: response.status,
    replayed: response.headers.get('idempotency-replayed') === 'true',
    retry_after: response.headers.get('retry-after'),
    json: (await response.json()) as Record<string, unknown>,
  }
}

const bad = () => eventOf({ user_id: '' })
const replyOf = (received: number) => ({ received, accepted: 0, duplicates: 0, rejected: 0, errors: [] })
const requestOf = (key: string) => ({ owner: 'o', key, fingerprint: Buffer.from('same') })

const headersOf = ({ key }: { key: string }) => ({
  'content-type': 'application/json',
  'idempotency-key': 'the-same',
  authorization: `Bearer ${key}`,
})

describe('an Idempotency-Key', () => {
  const home = serveStore()

  const countOf = (table: string) =>
    home.inSqlite((db) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number)

  it('gets the stored reply for the same request, and nothing is done again', async () => {
    const batch = [eventOf(), eventOf(), bad()]
    const first = await send(home.url, 'k-1', batch)
    assert.deepEqual([first.status, first.replayed, first.json['accepted']], [200, false, 2])
    const letters = countOf('dead_letters')
    for (const key of ['k-1', '"k-1"']) {
      const again = await send(home.url, key, batch)
      assert.deepEqual([again.status, again.replayed, again.json], [200, true, first.json])
    }
    assert.equal(countOf('dead_letters'), letters)
    // Without the key it is a batch of duplicates.
    assert.equal((await send(home.url, undefined, batch)).json['duplicates'], 2)
  })

  it('gets the same refusal again when every event was invalid', async () => {
    const batch = [bad(), bad()]
    const first = await send(home.url, 'k-2', batch)
    const letters = countOf('dead_letters')
    const again = await send(home.url, 'k-2', batch)
    assert.deepEqual([first.status, again.status, again.replayed], [422, 422, true])
    assert.deepEqual(again.json, first.json)
    assert.equal(countOf('dead_letters'), letters)
  })

  it('is refused for another body, or for the same one with other parameters', async () => {
    const batch = [eventOf()]
    await send(home.url, 'k-3', batch)
    for (const [body, query] of [
      [[eventOf()], ''],
      [batch, '?strict=true'],
    ] as const) {
      const { status, json } = await send(home.url, 'k-3', body, query)
      assert.deepEqual([status, json['type']], [422, '/problems/idempotency_key_reused'])
    }
    assert.equal((await send(home.url, 'k-3', batch)).replayed, true)
  })

  it('is free again after a request that was refused as a whole', async () => {
    const events = [eventOf(), bad()]
    assert.equal((await send(home.url, 'k-4', events, '?strict=true')).status, 422)
    assert.equal((await send(home.url, 'k-4', 'not an array')).status, 400)
    const { status, replayed } = await send(home.url, 'k-4', events)
    assert.deepEqual([status, replayed], [200, false])
  })

  it('is told to wait while a request with it is being worked on', async () => {
    const body = JSON.stringify([eventOf()])
    // Neither can end before its body has, so the one that comes second is refused.
    const requests = [0, 1].map((n) => {
      const { request, reply } = begin(`${home.url}/events`, 'POST', {
        'content-type': 'application/json',
        'content-length': String(body.length),
        'idempotency-key': 'k-5',
      })
      request.write(body.slice(0, 10))
      return { n, request, reply }
    })
    const refused = await Promise.race(requests.map(async ({ n, reply }) => ({ n, ...(await reply) })))
    assert.deepEqual([refused.status, refused.headers['retry-after']], [409, '1'])
    assert.equal((JSON.parse(refused.text) as { type: string }).type, '/problems/idempotency_key_in_use')
    const working = requests[1 - refused.n]!
    working.request.end(body.slice(10))
    assert.equal((await working.reply).status, 200)
    requests[refused.n]!.request.destroy()
  })

  it('stores a batch once, however many send it at the same moment', async () => {
    const batch = Array.from({ length: 50 }, () => eventOf())
    const replies = await Promise.all(Array.from({ length: 16 }, () => send(home.url, 'k-6', batch)))
    const fresh = replies.filter(({ status, replayed }) => status === 200 && !replayed)
    assert.equal(fresh.length, 1)
    assert.equal(fresh[0]!.json['accepted'], 50)
    assert.ok(
      replies.every(
        ({ status, replayed }) => status === 409 || (status === 200 && replayed) || status === 200,
      ),
    )
  })

  it('has 1 to 255 visible characters', async () => {
    const longest = 'x'.repeat(IDEMPOTENCY_KEY_CHARS_MAX)
    assert.equal((await send(home.url, longest, [eventOf()])).status, 200)
    for (const key of [`${longest}x`, '""', 'a b', '"a', 'a"b', 'ä']) {
      const { status, json } = await send(home.url, key, [eventOf()])
      assert.deepEqual([status, json['type']], [400, '/problems/invalid_header'], key)
    }
  })

  it('is remembered across a restart', async () => {
    const batch = [eventOf()]
    const first = await send(home.url, 'k-7', batch)
    await home.stop()
    await home.start()
    const again = await send(home.url, 'k-7', batch)
    assert.deepEqual([again.replayed, again.json], [true, first.json])
  })

  it('is forgotten after its time, and the oldest when there are too many', () => {
    home.inSqlite((db) => {
      db.exec('DELETE FROM idempotency_keys')
      const replies = openKeptReplies(db, { ttl_s: 10, keys_max: 3 })
      const reply = { received: 0, accepted: 0, duplicates: 0, rejected: 0, errors: [] }
      replies.keep(requestOf('a'), reply, 0)
      assert.deepEqual(replies.find(requestOf('a'), 9_999_999), reply)
      assert.equal(replies.find(requestOf('a'), 10_000_000), null)
      assert.equal(replies.find({ ...requestOf('a'), owner: 'p' }, 0), null)
      assert.equal(replies.find({ ...requestOf('a'), fingerprint: Buffer.from('other') }, 0), 'reused')
      for (const key of ['b', 'c', 'd']) replies.keep(requestOf(key), reply, 0)
      assert.deepEqual(
        ['a', 'b', 'c', 'd'].map((key) => replies.find(requestOf(key), 0) !== null),
        [false, true, true, true],
      )
      replies.keep(requestOf('e'), reply, 10_000_000)
      assert.equal(db.prepare('SELECT count(*) FROM idempotency_keys').pluck().get(), 1)
    })
  })

  it('that was forgotten may be used again, and then is the newest of all', () => {
    home.inSqlite((db) => {
      db.exec('DELETE FROM idempotency_keys')
      const replies = openKeptReplies(db, { ttl_s: 10, keys_max: 3 })
      replies.keep(requestOf('a'), replyOf(1), 0)
      replies.keep(requestOf('b'), replyOf(2), 9_000_000)
      // As in a store that has taken more events than keys are kept.
      db.prepare(`INSERT INTO dead_letters (id, received_at, source, path, message, is_cut, events_omitted, bytes, body)
        VALUES (1000000, 0, '', '', '', 0, 0, 0, '')`).run()
      const other = { ...requestOf('a'), fingerprint: Buffer.from('other') }
      assert.equal(replies.find(other, 10_000_000), null)
      replies.keep(other, replyOf(3), 10_000_000)
      assert.deepEqual(replies.find(other, 10_000_000), replyOf(3))
      assert.equal(replies.find(requestOf('a'), 10_000_000), 'reused')
      assert.deepEqual(replies.find(requestOf('b'), 10_000_000), replyOf(2))
      for (const key of ['c', 'd']) replies.keep(requestOf(key), replyOf(4), 10_000_000)
      assert.equal(replies.find(requestOf('b'), 10_000_000), null)
      assert.deepEqual(replies.find(other, 10_000_000), replyOf(3))
    })
  })

  // The store is closed from here on.
  it('of one client is another one than the same of another client, also while both are at work', async () => {
    const newClient = (name: string) => home.inSqlite((db) => createKey(db, name, ['ingest'], nowMicros()))
    const anna = newClient('anna')
    const ben = newClient('ben')
    const [first, second] = [[eventOf(), bad()], [eventOf()]]
    const sendAs = async (client: { key: string }, body: unknown) => {
      const { request, reply } = begin(`${home.url}/events`, 'POST', headersOf(client))
      request.end(JSON.stringify(body))
      const { status, headers, text } = await reply
      return { status, replayed: headers['idempotency-replayed'] === 'true', text }
    }
    const body = JSON.stringify(first)
    // Neither can end before its body has, so the one that comes second is refused, and the other is at work.
    const requests = [0, 1].map((n) => {
      const { request, reply } = begin(`${home.url}/events`, 'POST', headersOf(anna))
      request.write(body.slice(0, 10))
      return { n, request, reply }
    })
    const refused = await Promise.race(requests.map(async ({ n, reply }) => ({ n, ...(await reply) })))
    assert.equal(refused.status, 409)
    assert.equal((await sendAs(ben, second)).status, 200)
    const working = requests[1 - refused.n]!
    working.request.end(body.slice(10))
    assert.equal((await working.reply).status, 200)
    requests[refused.n]!.request.destroy()
    const again = await Promise.all([sendAs(anna, first), sendAs(ben, second)])
    assert.deepEqual(
      again.map(({ status, replayed }) => [status, replayed]),
      [
        [200, true],
        [200, true],
      ],
    )
    assert.notEqual(again[0]!.text, again[1]!.text)
    const sources = home.inSqlite((db) =>
      db.prepare(`SELECT source FROM dead_letters WHERE source <> '127.0.0.1'`).pluck().all(),
    )
    assert.deepEqual(sources, ['key/1'])
  })
})

describe('an Idempotency-Key and death', () => {
  const store = createTestStore()
  after(() => store.remove())

  it('gets the same reply after kill -9 between commit and reply, or is stored then', async () => {
    const ROUNDS = howMany('acknowledged_deaths')
    let replayed = 0
    let service = await store.serve()
    for (let round = 0; round < ROUNDS; round += 1) {
      const batch = Array.from({ length: 400 }, () => eventOf())
      const key = `round-${round}`
      const sent = send(service.url, key, batch).then(
        (answer) => answer,
        () => null,
      )
      // Some rounds die at once, some when the commit is certainly there: the log line of the request is written before its reply is read.
      if (round % 2 === 0) await once(service.child.stdout!, 'data')
      await service.kill()
      const answer = await sent
      service = await store.serve()
      const again = await send(service.url, key, batch)
      assert.deepEqual([again.status, again.json['accepted']], [200, 400])
      if (answer !== null) assert.deepEqual([again.replayed, again.json], [true, answer.json])
      if (again.replayed) replayed += 1
      const { json } = await get<{ hot: { events: number } }>(`${service.url}/tiers`)
      assert.equal(json.hot.events, (round + 1) * 400)
    }
    assert.ok(replayed >= 1, `${replayed} of ${ROUNDS} were committed before the kill`)
  })
})
