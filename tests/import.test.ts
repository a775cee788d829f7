import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { idFor, sampleEvents, toCsv } from './sample.ts'
import { createTestStore, get, post } from './store.ts'
import type { TestStore } from './store.ts'

const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json'
const GOOD = (id: string) => `${idFor(id)},2025-08-21T06:52:34+03:00,u1,open,"{""a"":1}"`

interface Report {
  rows: number
  imported: number
  duplicates: number
  rejected: number
  days: number
  files: number
  bytes: number
  took_ms: number
}

function counts({ rows, imported, duplicates, rejected }: Report) {
  return { rows, imported, duplicates, rejected }
}

describe('import', () => {
  let store: TestStore
  let csv: string
  beforeEach(() => {
    store = createTestStore()
    csv = join(store.dir, 'history.csv')
  })

  async function importText(text: string | Buffer, args: readonly string[] = []): Promise<Report> {
    writeFileSync(csv, text)
    const run = await store.cli(['import', csv, '--json', ...args])
    assert.equal(run.code, 0, run.stderr)
    return JSON.parse(run.stdout) as Report
  }
  const rejects = () => readFileSync(`${csv}.rejected.csv`, 'utf8').trimEnd().split('\n')

  it('answers as if the rows had been posted, and finds all of them again as duplicates', async (t) => {
    t.after(() => store.remove())
    const events = sampleEvents(7, 3_000)
    const report = await importText(toCsv(events))
    assert.deepEqual(Object.keys(report), [
      'rows',
      'imported',
      'duplicates',
      'rejected',
      'days',
      'files',
      'bytes',
      'took_ms',
      'already_imported_at',
    ])
    assert.deepEqual(counts(report), { rows: 3_000, imported: 3_000, duplicates: 0, rejected: 0 })
    assert.equal(report.days, 10)
    const service = await store.serve()
    const posted = createTestStore()
    t.after(() => posted.remove())
    const other = await posted.serve()
    await post(`${other.url}/events`, events)
    for (const question of [
      '/stats/dau?from=2025-08-01&to=2025-08-10',
      '/stats/top-events?from=2025-08-01&to=2025-08-10&properties.country=UA',
      '/stats/top-events?from=2025-08-01&to=2025-08-10&segment=properties.price:12.5,3',
      '/stats/retention?start_date=2025-08-02&windows=5',
    ]) {
      const imported = await get(service.url + question)
      assert.equal(imported.status, 200)
      assert.deepEqual({ ...imported.json, meta: 0 }, { ...(await get(other.url + question)).json, meta: 0 })
    }
    assert.equal((await post(`${service.url}/events`, events)).json['duplicates'], 3_000)
    const again = await importText(toCsv(events, '\r\n'))
    assert.deepEqual(counts(again), { rows: 3_000, imported: 0, duplicates: 3_000, rejected: 0 })
  })

  for (const [name, text] of Object.entries({
    'line feeds': [HEADER, GOOD('a'), GOOD('b'), ''].join('\n'),
    'carriage returns and line feeds': [HEADER, GOOD('a'), GOOD('b'), ''].join('\r\n'),
    'a byte order mark': `\ufeff${[HEADER, GOOD('a'), GOOD('b'), ''].join('\n')}`,
    'no newline at the end': [HEADER, GOOD('a'), GOOD('b')].join('\n'),
    'blank lines': [HEADER, '', GOOD('a'), '', GOOD('b'), '', ''].join('\n'),
    'both kinds of newline': `${HEADER}\n${GOOD('a')}\r\n${GOOD('b')}\n`,
    'quotes around everything': [HEADER, GOOD('a'), GOOD('b')]
      .map((line, i) => (i === 0 ? line : line.replace(/^(.*?),(.*?),(.*?),(.*?),/, '"$1","$2","$3","$4",')))
      .join('\n'),
    'another order of columns': [
      'user_id,properties_json,event_id,event_type,occurred_at',
      `u1,{},${idFor('a')},open,2025-08-21`,
      `u1,,${idFor('b')},open,2025-08-21T00:00`,
    ].join('\n'),
    'a header in quotes': [
      '"event_id","occurred_at","user_id","event_type","properties_json"',
      GOOD('a'),
      GOOD('b'),
    ].join('\n'),
  })) {
    it(`reads a file with ${name}`, async (t) => {
      t.after(() => store.remove())
      assert.deepEqual(counts(await importText(text)), { rows: 2, imported: 2, duplicates: 0, rejected: 0 })
    })
  }

  it('keeps embedded newlines, quotes, commas, offsets, microseconds and empty properties', async (t) => {
    t.after(() => store.remove())
    const report = await importText(
      [
        HEADER,
        `${idFor('a')},2025-08-01T01:30:00.000001+03:00,"user ""one"", first\nline",open,"{""a"":\n 1}"`,
        `${idFor('b')},2025-08-01 23:59:59.999999,u2,open,`,
        `${idFor('c')},2025-08-01T23:59:59.999999-00:30,u3,open,"{}"`,
      ].join('\n'),
    )
    assert.equal(report.imported, 3)
    const service = await store.serve()
    const { json } = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=2025-07-31&to=2025-08-02`,
    )
    assert.deepEqual(
      json.data.map((d) => d.dau),
      [1, 1, 1],
    )
    const found = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=2025-07-31&to=2025-07-31&properties.a=1&segment=user_id:${encodeURIComponent('user "one"\\, first\nline')}`,
    )
    assert.deepEqual(
      found.json.data.map((d) => d.dau),
      [1],
    )
  })

  const BAD_ROWS = [
    [`nonsense,2025-08-21,u,t,{}`, 'event_id must be a UUID'],
    [`${idFor('1')},yesterday,u,t,{}`, 'occurred_at must be an ISO 8601 time'],
    [`${idFor('2')},2025-02-29,u,t,{}`, 'occurred_at must be an ISO 8601 time'],
    [`${idFor('3')},2999-01-01,u,t,{}`, 'occurred_at must lie between'],
    [`${idFor('4')},1969-12-31T23:59:59.999999Z,u,t,{}`, 'occurred_at must lie between'],
    [`${idFor('5')},2025-08-21,,t,{}`, 'user_id must be'],
    [`${idFor('6')},2025-08-21,${'u'.repeat(257)},t,{}`, 'user_id must be'],
    [`${idFor('7')},2025-08-21,u,,{}`, 'event_type must be'],
    [`${idFor('8')},2025-08-21,u,t,[1]`, 'properties must be an object'],
    [`${idFor('9')},2025-08-21,u,t,{a}`, 'properties_json is not JSON'],
    [`${idFor('10')},2025-08-21,u,t,"{""a"":""${'x'.repeat(32 * 1024)}""}"`, 'properties must be at most'],
    [`${idFor('11')},2025-08-21,u,t,"{""a"":1e999}"`, 'properties must not contain numbers'],
    [`${idFor('12')},2025-08-21,u,t,"{""a"":""\\ud800""}"`, 'properties must not contain unpaired'],
    [
      `${idFor('13')},2025-08-21,u,t,"${'{""a"":'.repeat(33)}1${'}'.repeat(33)}"`,
      'properties must be nested',
    ],
    [`${idFor('14')},2025-08-21,u\ufffd,t,{}`, 'user_id is not valid UTF-8'],
  ] as const
  const MALFORMED_ROWS = [
    [`${idFor('20')},2025-08-21,u,t`, 'the row has 4 fields instead of 5'],
    [`${idFor('21')},2025-08-21,u,t,{},more`, 'the row has 6 fields instead of 5'],
  ] as const

  for (const [how, bad] of [
    ['row by row', [...BAD_ROWS, ...MALFORMED_ROWS]],
    ['in one go', BAD_ROWS],
  ] as const) {
    it(`rejects bad rows with line and reason and imports their neighbours, reading ${how}`, async (t) => {
      t.after(() => store.remove())
      // A row of two lines before each, so that lines and rows are not the same.
      const lines = bad.flatMap(([row], i) => [`${idFor(`good${i}`)},2025-08-21,u,t,"{\n}"`, row])
      const report = await importText([HEADER, ...lines, GOOD('last')].join('\n'))
      assert.deepEqual(counts(report), {
        rows: bad.length * 2 + 1,
        imported: bad.length + 1,
        duplicates: 0,
        rejected: bad.length,
      })
      const [header, ...rows] = rejects()
      assert.equal(header, 'line,reason,event_id,occurred_at,user_id,event_type,properties_json')
      assert.equal(rows.length, bad.length)
      for (const [i, [, reason]] of bad.entries()) {
        const row = rows[i]!.replace('"', '')
        assert.ok(row.startsWith(`${4 + i * 3},`), `${row.slice(0, 60)} should stand on line ${4 + i * 3}`)
        assert.ok(row.includes(reason), `${row.slice(0, 120)} should say: ${reason}`)
      }
    })
  }

  it('keeps what a broken quote has swallowed in the file of rejected rows', async (t) => {
    t.after(() => store.remove())
    const broken = `${idFor('b')},2025-08-21,u,t,"{}"x`
    const report = await importText([HEADER, GOOD('a'), broken, GOOD('c'), GOOD('d')].join('\n'))
    assert.deepEqual(counts(report), { rows: 3, imported: 2, duplicates: 0, rejected: 1 })
    const text = rejects().join('\n')
    assert.match(text, /\n3,"a quoted field is not closed/)
    assert.ok(text.includes(idFor('b')) && text.includes(idFor('c')))
  })

  it('takes a corrected file of rejected rows as it is, and deletes the old one when nothing is rejected', async (t) => {
    t.after(() => store.remove())
    assert.equal((await importText([HEADER, GOOD('a'), `${idFor('b')},soon,u,t,{}`].join('\n'))).rejected, 1)
    const corrected = join(store.dir, 'corrected.csv')
    writeFileSync(corrected, readFileSync(`${csv}.rejected.csv`, 'utf8').replace(',soon,', ',2025-08-21,'))
    const run = await store.cli(['import', corrected, '--json'])
    assert.deepEqual(counts(JSON.parse(run.stdout) as Report), {
      rows: 1,
      imported: 1,
      duplicates: 0,
      rejected: 0,
    })
    assert.equal((await importText([HEADER, GOOD('a')].join('\n'))).rejected, 0)
    assert.equal(existsSync(`${csv}.rejected.csv`), false)
  })

  it('imports nothing with --strict when a row is bad', async (t) => {
    t.after(() => store.remove())
    writeFileSync(csv, [HEADER, GOOD('a'), 'bad,2025-08-21,u,t,{}'].join('\n'))
    const run = await store.cli(['import', csv, '--json', '--strict'])
    assert.equal(run.code, 1)
    assert.deepEqual(counts(JSON.parse(run.stdout) as Report), {
      rows: 2,
      imported: 0,
      duplicates: 0,
      rejected: 1,
    })
    assert.equal(rejects().length, 2)
    assert.equal((await importText([HEADER, GOOD('a')].join('\n'), ['--strict'])).imported, 1)
  })

  it('keeps the first of several copies in a file, in file order', async (t) => {
    t.after(() => store.remove())
    const copies = Array.from(
      { length: 50 },
      (_, i) =>
        `${idFor('same')},2025-08-${String(1 + (i % 28)).padStart(2, '0')}T0${i % 10}:00:00Z,u${i},t,{}`,
    )
    // One copy that only the schema can judge comes first, one that DuckDB accepts comes second.
    const first = `${idFor('same')},2025-07-04,first,t,{}`
    const report = await importText([HEADER, first, ...copies].join('\n'))
    assert.deepEqual(counts(report), { rows: 51, imported: 1, duplicates: 50, rejected: 0 })
    const service = await store.serve()
    const { json } = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=2025-07-04&to=2025-07-04&segment=user_id:first`,
    )
    assert.equal(json.data[0]!.dau, 1)
  })

  it('finds copies of hot rows, of sealed rows and of rows with another time', async (t) => {
    t.after(() => store.remove())
    const service = await store.serve()
    const events = sampleEvents(3, 900)
    await post(`${service.url}/events`, events.slice(0, 300))
    assert.equal((await store.cli(['compact'])).code, 0)
    await post(`${service.url}/events`, events.slice(300, 600))
    const moved = events.map((e) => ({ ...e, occurred_at: '2025-06-01T00:00:00Z' }))
    assert.deepEqual(counts(await importText(toCsv(moved))), {
      rows: 900,
      imported: 300,
      duplicates: 600,
      rejected: 0,
    })
    const replies = await post(`${service.url}/events`, events)
    assert.equal(replies.json['duplicates'], 900)
  })

  it('counts every event once when the same ids are posted while they are imported', async (t) => {
    t.after(() => store.remove())
    const service = await store.serve()
    const events = sampleEvents(11, 4_000)
    writeFileSync(csv, toCsv(events))
    for (let round = 0; round < 3; round += 1) {
      const part = events.slice(round * 1_000, (round + 1) * 1_000)
      writeFileSync(csv, toCsv(part))
      const importing = store.cli(['import', csv, '--json'])
      let accepted = 0
      const state = { finished: false }
      void importing.then(() => {
        state.finished = true
      })
      for (let i = 0; i < part.length || !state.finished; i += 50) {
        const batch = part.slice(i % part.length, (i % part.length) + 50)
        accepted += (await post(`${service.url}/events`, batch)).json['accepted'] as number
      }
      const report = JSON.parse((await importing).stdout) as Report
      assert.equal(report.imported + accepted, part.length)
    }
    const { json } = await get<{ data: { count: number }[] }>(
      `${service.url}/stats/top-events?from=2025-08-01&to=2025-08-10`,
    )
    assert.equal(
      json.data.reduce((n, d) => n + d.count, 0),
      3_000,
    )
  })

  it('leaves nothing visible and nothing stray when it is killed, and imports all the next time', async (t) => {
    t.after(() => store.remove())
    const events = sampleEvents(5, 20_000, '2025-08-01', 60)
    writeFileSync(csv, toCsv(events))
    for (const seen of ['staging', 'cold']) {
      const child = store.start(['import', csv])
      // Kills it as soon as it has made its first file there.
      const folder = join(store.data_dir, seen)
      while (child.exitCode === null && (!existsSync(folder) || readdirSync(folder).length === 0)) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      child.kill('SIGKILL')
      await new Promise((resolve) => {
        child.once('close', resolve)
      })
      const tiers = JSON.parse((await store.cli(['tiers', '--json'])).stdout) as { cold: { events: number } }
      assert.equal(tiers.cold.events, 0, `killed after the first file in ${seen}`)
    }
    const run = await store.cli(['import', csv, '--json'])
    const report = JSON.parse(run.stdout) as Report
    assert.equal(report.imported, 20_000)
    assert.deepEqual(readdirSync(join(store.data_dir, 'staging')), [])
    const files = readdirSync(join(store.data_dir, 'cold'), { recursive: true }).filter((f) =>
      String(f).endsWith('.parquet'),
    )
    assert.equal(files.length, report.files)
  })

  it('is called import_events too', async (t) => {
    t.after(() => store.remove())
    writeFileSync(csv, [HEADER, GOOD('a')].join('\n'))
    const run = await store.script('src/cli/import-events.ts', [csv, '--json'])
    assert.equal((JSON.parse(run.stdout) as Report).imported, 1)
  })
})

describe('a file that cannot be imported', () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  const refuses = (name: string, text: string | Buffer | null, message: RegExp) => {
    it(`is refused with one clear line: ${name}`, async () => {
      const path = join(store.dir, `${name}.csv`)
      if (text !== null) writeFileSync(path, text)
      const run = await store.cli(['import', path])
      assert.equal(run.code, 1)
      assert.match(run.stderr, message)
      assert.equal(run.stderr.trimEnd().split('\n').length, 1)
      assert.equal(run.stdout, '')
    })
  }
  refuses('missing', null, /does not exist/)
  refuses('empty', '', /is empty/)
  refuses('blank', '\n\n', /is empty/)
  refuses('binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3]), /is not a CSV file/)
  refuses('lacking', 'event_id,occurred_at,user_id\n', /lacks the columns event_type, properties_json/)
  refuses('other', `${HEADER},surprise\n`, /unknown or stand twice/)
  refuses('twice', `${HEADER},user_id\n`, /unknown or stand twice/)

  it('is refused when a quote is never closed, with the line, and nothing is imported', async () => {
    const path = join(store.dir, 'open.csv')
    const filler = `${idFor('x')},2025-08-21,u,t,{}\n`.repeat(200_000)
    writeFileSync(path, `${HEADER}\n${GOOD('a')}\n${idFor('b')},2025-08-21,"never closed,t,{}\n${filler}`)
    const run = await store.cli(['import', path])
    assert.equal(run.code, 1)
    assert.match(run.stderr, /line 3: a row does not end within/)
  })

  it('is a usage error when no file, or an unknown option, is given', async () => {
    assert.equal((await store.cli(['import'])).code, 2)
    assert.equal((await store.cli(['import', 'x.csv', '--wrong'])).code, 2)
    assert.equal((await store.cli(['import', 'x.csv', '--wait', 'soon'])).code, 2)
  })
})
