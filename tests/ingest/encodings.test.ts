import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { encode } from '@msgpack/msgpack'
import Database from 'better-sqlite3'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { serveStore } from '../support/in-process.ts'
import { toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { assertProblem, begin, eventOf, sendBytes } from '../support/wire.ts'

const INFLATED_BYTES_MAX = 100_000
const BODY_BYTES_MAX = 50_000
const IN_FLIGHT_BYTES_MAX = 120_000

const CODINGS = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync } as const
const JSON_TYPE = 'application/json'
const full = () => eventOf({ properties: {} })
/** One event, and spaces up to the size. */
const bodyOf = (bytes: number) => Buffer.from(JSON.stringify([full()]).padEnd(bytes))

/** So many bytes are checksum and length, or the end of the data. */
const TRAILER_BYTES = 10

/** Places in compressed bytes: each so-manieth, and all of the last. */
const placesIn = (bytes: Uint8Array) =>
  Array.from(bytes.keys()).filter(
    (at) => at % howMany('from_one_damaged_byte_to_the_next') === 0 || at >= bytes.length - TRAILER_BYTES,
  )

// Stored and not compressed, so that the size is ours to choose.
const stored = (bytes: number) => {
  const overhead = gzipSync(Buffer.alloc(40_000), { level: 0 }).length - 40_000
  return gzipSync(bodyOf(bytes - overhead), { level: 0 })
}

describe('a compressed body', { timeout: HANGS_AFTER_MS }, () => {
  const store = serveStore({
    BODY_BYTES_MAX: String(BODY_BYTES_MAX),
    BODY_INFLATED_BYTES_MAX: String(INFLATED_BYTES_MAX),
    BODIES_IN_FLIGHT_BYTES_MAX: String(IN_FLIGHT_BYTES_MAX),
  })

  const send = (coding: string, body: Uint8Array, type = JSON_TYPE) =>
    sendBytes(`${store.url}/events`, { 'content-type': type, 'content-encoding': coding }, Buffer.from(body))

  const rows = () => store.inSqlite((db) => db.prepare('SELECT count(*) FROM events').pluck().get()) as number

  for (const [coding, compress] of Object.entries(CODINGS)) {
    it(`with ${coding} is stored from every format`, async () => {
      const events = Array.from({ length: 4 }, full)
      const [a, b, c, d] = events
      const bodies: [string, string | Uint8Array][] = [
        [JSON_TYPE, JSON.stringify([a])],
        ['application/x-ndjson', JSON.stringify(b)],
        ['text/csv', toCsv([c as unknown as SampleEvent])],
        ['application/msgpack', encode(d)],
      ]
      for (const [type, body] of bodies) {
        const reply = await send(coding, compress(body), type)
        assert.deepEqual([reply.status, reply.json['accepted']], [200, 1], type)
      }
      const again = await send(coding.toUpperCase(), compress(JSON.stringify(events)))
      assert.equal(again.json['duplicates'], 4)
    })

    it(`with ${coding} may inflate to the limit and not one byte further`, async () => {
      for (const bytes of [INFLATED_BYTES_MAX - 1, INFLATED_BYTES_MAX]) {
        assert.equal((await send(coding, compress(bodyOf(bytes)))).status, 200)
      }
      const before_rows = rows()
      for (const bytes of [INFLATED_BYTES_MAX + 1, INFLATED_BYTES_MAX * 50]) {
        const reply = await send(coding, compress(bodyOf(bytes)))
        assertProblem(reply, 413, 'body_too_large')
        assert.match(String(reply.json['detail']), /100000/)
      }
      assert.equal(rows(), before_rows)
    })

    it(`with ${coding} is refused when it is cut anywhere`, async () => {
      const bytes = compress(bodyOf(500))
      const before_rows = rows()
      for (const end of placesIn(bytes)) {
        assertProblem(await send(coding, bytes.subarray(0, end)), 400, 'damaged_encoding')
      }
      assert.equal(rows(), before_rows)
    })

    it(`with ${coding} is refused when it goes on behind its end, or is something else`, async () => {
      const bytes = compress(bodyOf(500))
      for (const tail of [Buffer.from('x'), Buffer.alloc(40, 'x'), Buffer.alloc(1)]) {
        assertProblem(await send(coding, Buffer.concat([bytes, tail])), 400, 'damaged_encoding')
      }
      for (const body of [bodyOf(500), deflateRawSync(bodyOf(500)), Buffer.alloc(500, 0xff)]) {
        assertProblem(await send(coding, body), 400, 'damaged_encoding')
      }
    })
  }

  for (const coding of ['gzip', 'deflate'] as const) {
    it(`with ${coding} is refused when a bit of it flipped, or stored as it was`, async () => {
      const bytes = CODINGS[coding](JSON.stringify([full()]))
      const before_rows = rows()
      for (const at of placesIn(bytes)) {
        const damaged = Buffer.from(bytes)
        damaged[at]! ^= 1 << (at % 8)
        const reply = await send(coding, damaged)
        // Some bits mean nothing: gzip's time and system, and what fills the last byte of the data.
        assert.ok(
          reply.status === 400 || (reply.status === 200 && reply.json['rejected'] === 0),
          `byte ${at}`,
        )
      }
      assert.equal((await send(coding, bytes)).status, 200)
      assert.equal(rows(), before_rows + 1)
    })
  }

  it('may consist of several gzip members', async () => {
    const [a, b] = [JSON.stringify(full()), JSON.stringify(full())]
    const reply = await send('gzip', Buffer.concat([gzipSync(`[${a},`), gzipSync(`${b}]`)]))
    assert.equal(reply.json['accepted'], 2)
    assert.equal((await send('x-gzip', gzipSync(`[${a}]`))).json['duplicates'], 1)
  })

  it('has the limit of a plain body besides, as it is sent', async () => {
    const full_size = stored(BODY_BYTES_MAX)
    assert.equal(full_size.length, BODY_BYTES_MAX)
    assert.equal((await send('gzip', full_size)).status, 200)
    assertProblem(await send('gzip', stored(BODY_BYTES_MAX + 1)), 413, 'body_too_large')
    const { request, reply } = begin(`${store.url}/events`, 'POST', {
      'content-type': JSON_TYPE,
      'content-encoding': 'gzip',
    })
    request.end(stored(BODY_BYTES_MAX + 1))
    assert.equal((await reply).status, 413)
  })

  it('with another coding, or two, is refused with the ones that are taken', async () => {
    const body = gzipSync(bodyOf(500))
    for (const coding of ['zstd', 'compress', 'gzip, gzip', 'identity, gzip', 'gzip;q=1', 'x']) {
      const reply = await send(coding, body)
      assertProblem(reply, 415, 'unsupported_media_type')
      assert.equal(reply.headers.get('accept-encoding'), 'gzip, deflate, br')
    }
    const other = await send('gzip', body, 'text/html')
    assertProblem(other, 415, 'unsupported_media_type')
    assert.match(
      other.headers.get('accept-post') ?? '',
      /application\/json, text\/plain, application\/x-ndjson/,
    )
    assert.equal((await send('identity', bodyOf(500))).status, 200)
    assert.equal((await send('', bodyOf(500))).status, 200)
  })

  it('counts among the bytes in flight with what it inflates to, once it is whole', async () => {
    const body = gzipSync(bodyOf(90_000))
    const headers = { 'content-encoding': 'gzip', 'content-length': String(body.length) }
    const held = begin(`${store.url}/events`, 'POST', { 'content-type': JSON_TYPE, ...headers })
    held.request.write(body.subarray(0, -8))
    for (let turn = 0; turn < 10; turn += 1) await fetch(`${store.url}/livez`).then((r) => r.text())
    // What it would inflate to is not held while its end is missing.
    assert.equal((await send('identity', bodyOf(40_000))).status, 200)
    // While another process writes, the service's writer waits, and the body with it.
    const db = new Database(store.layout.database)
    db.exec('BEGIN IMMEDIATE')
    try {
      held.request.end(body.subarray(-8))
      // Not JSON, so that it is answered without the writer for as long as there is room.
      let reply = await send('identity', Buffer.alloc(40_000, ' '))
      while (reply.status === 400) reply = await send('identity', Buffer.alloc(40_000, ' '))
      assertProblem(reply, 503, 'queue_full')
    } finally {
      db.exec('ROLLBACK')
      db.close()
    }
    assert.equal((await held.reply).status, 200)
    assert.equal((await send('gzip', gzipSync(bodyOf(40_000)))).status, 200)
  })
})
