import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createInProcessStore } from '../support/in-process.ts'
import { AUGUST, on, serveReading } from '../support/reading-events.ts'
import type { Page } from '../support/reading-events.ts'
import { sampleEvents } from '../support/sample.ts'
import { begin, eventOf, getReply } from '../support/wire.ts'

describe('reading events back', () => {
  const home = serveReading()
  const { put, readAll } = home

  it('answers in the format that was asked for', async () => {
    await put([{ a: 1 }, {}, {}].map((properties) => eventOf({ occurred_at: '2025-07-01', properties })))
    const types = {
      json: 'application/json',
      ndjson: 'application/x-ndjson',
      csv: 'text/csv; charset=utf-8; header=present',
    }
    const asked: [accept: string | undefined, query: string, format: keyof typeof types][] = [
      [undefined, '', 'json'],
      ['*/*', '', 'json'],
      ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', '', 'json'],
      ['application/json', '', 'json'],
      ['application/x-ndjson', '', 'ndjson'],
      ['Text/CSV; charset=utf-8', '', 'csv'],
      ['text/csv;q=0.5, application/x-ndjson;q=0.9', '', 'ndjson'],
      ['text/csv;q=0, application/json;q=0.1', '', 'json'],
      ['text/csv;q=0', '', 'json'],
      ['text/csv', '&format=json', 'json'],
      [undefined, '&format=csv', 'csv'],
      ['application/json', '&format=ndjson', 'ndjson'],
    ]
    for (const [accept, query, format] of asked) {
      const { request, reply } = begin(
        `${home.store.url}/events?${on('2025-07-01')}&limit=2${query}`,
        'GET',
        accept === undefined ? {} : { accept },
      )
      request.end()
      const { status, headers, text } = await reply
      assert.equal(status, 200)
      assert.equal(headers['content-type'], types[format], `${accept} ${query}`)
      assert.equal(headers['vary'], 'Accept')
      const lines = text.split(/\r?\n/)
      if (format === 'json') assert.equal((JSON.parse(text) as Page).data.length, 2)
      else assert.deepEqual([lines.length, lines.at(-1)], [format === 'csv' ? 4 : 3, ''])
    }
    const empty = (format: string) =>
      getReply(`${home.store.url}/events?from=2001-01-01&to=2001-01-01&format=${format}`)
    assert.equal((await empty('ndjson')).text, '')
    assert.equal((await empty('csv')).text, 'event_id,occurred_at,user_id,event_type,properties_json\r\n')
    const head = await fetch(`${home.store.url}/events?${on('2025-07-01')}`, { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
  })

  it('gives numbers, keys and texts of properties digit by digit', async () => {
    const properties =
      '{"big":9007199254740993,"exact":12345678901234567890123,"twice":1,"twice":2,' +
      '"nul":"a\\u0000b","line":"a\\nb\\u2028","🦓":"\\"quoted\\" \\\\ Łódź","__proto__":{"x":[true,false,null]}}'
    const event_id = crypto.randomUUID()
    const row = `${event_id},2025-07-02T10:00:00.000001Z,u,t,"${properties.replaceAll('"', '""')}"`
    await home.store.importCsv(`event_id,occurred_at,user_id,event_type,properties_json\n${row}\n`)
    const json = (await getReply(`${home.store.url}/events?${on('2025-07-02')}`)).text
    // The import may write a character in another of JSON's spellings.
    const start = json.indexOf('"properties":') + '"properties":'.length
    const text = json.slice(start, json.indexOf('}],"next_cursor"'))
    assert.deepEqual(JSON.parse(text), JSON.parse(properties))
    const wanted = `{"event_id":"${event_id}","occurred_at":"2025-07-02T10:00:00.000001Z","user_id":"u","event_type":"t","properties":${text}}`
    assert.ok(json.startsWith(`{"data":[${wanted}],"next_cursor":null,"meta":{`), json)
    assert.equal(
      (await getReply(`${home.store.url}/events?${on('2025-07-02')}&format=ndjson`)).text,
      `${wanted}\n`,
    )
    for (const digits of ['9007199254740993', '12345678901234567890123', '"twice":2']) {
      assert.ok(json.includes(digits), digits)
    }
    assert.ok(!json.includes('"twice":1'), 'of a key that occurs twice the last value is stored, once')
  })

  it('gives CSV that can be imported again, into the same events', async () => {
    await put([
      eventOf({
        user_id: 'a "quoted", user',
        event_type: ' spaces ',
        properties: { text: 'line\nbreak, "x"\r\n🐧', n: 1e21 },
      }),
      eventOf({ user_id: '-1', event_type: '=1+1', occurred_at: '2025-08-01T23:59:59.999999Z' }),
      eventOf({ user_id: 'new\nline\r\n', event_type: '"', properties: { ['__proto__']: 1, '': null } }),
      ...sampleEvents(6, 300, '2025-08-01', 2),
    ])
    await home.store.compact()
    await put(sampleEvents(7, 100, '2025-08-01', 3))
    const before_import = await readAll(AUGUST)
    const { text } = await getReply(`${home.store.url}/events?${AUGUST}&limit=10000&format=csv`)
    const other = createInProcessStore()
    try {
      const report = await other.importCsv(text)
      assert.deepEqual([report.imported, report.rejected, report.duplicates], [403, 0, 0])
      assert.equal((await home.store.importCsv(text)).duplicates, 403)
      await other.start()
      const { text: again } = await getReply(`${other.url}/events?${AUGUST}&limit=10000&format=csv`)
      assert.equal(again, text)
      const json = (await getReply(`${other.url}/events?${AUGUST}&limit=1000`)).text
      assert.deepEqual((JSON.parse(json) as Page).data, before_import)
    } finally {
      await other.remove()
    }
  })
})
