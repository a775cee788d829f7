import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import papaparse from 'papaparse'
import { openDuck } from '../../src/store/duckdb.ts'
import type { Duck } from '../../src/store/duckdb.ts'
import { CSV_COLUMNS } from '../../src/event/csv-header.ts'
import { createJudge } from '../../src/event/judge.ts'
import { realDisk } from '../../src/store/disk.ts'
import { readFileHeader } from '../../src/import/header.ts'
import { readCareful } from '../../src/import/read-careful.ts'
import { NEEDS_CARE, readFast } from '../../src/import/read-fast.ts'
import { openRejects } from '../../src/import/rejects.ts'
import { defineRelations, openStaging } from '../../src/import/staging.ts'
import { nowMicros } from '../../src/event/time.ts'
import { howMany } from '../support/counts.ts'
import { idFor } from '../support/sample.ts'

const NOW_US = nowMicros()
const FILES = howMany('csv_files_read_twice')

const folder = mkdtempSync(join(tmpdir(), 'frostline-readers-'))
const csv = join(folder, 'rows.csv')
let duck: Duck

/** What a reader makes of the file: the accepted rows in file order, and the rejected ones as written. */
async function readWith(reader: 'fast' | 'careful') {
  const connection = await duck.connect()
  // Each reader has tables of its own; to open DuckDB for each takes longer than to read.
  await connection.run(`ATTACH ':memory:' AS reading; USE reading`)
  const staging = await openStaging(connection, folder)
  const rejects = openRejects(CSV_COLUMNS, csv, 0o600, realDisk)
  const judge = createJudge(() => NOW_US)
  const header = readFileHeader(csv, 'rows.csv', {})
  try {
    const rows =
      reader === 'fast'
        ? await readFast(staging, csv, header, judge, NOW_US, rejects)
        : await readCareful(connection, csv, header, judge, rejects)
    if (rows === NEEDS_CARE) return NEEDS_CARE
    await defineRelations(staging, reader === 'fast')
    const accepted = await connection.runAndReadAll(
      `SELECT record::INTEGER, event_id::VARCHAR, epoch_us(occurred_at)::VARCHAR, user_id, event_type, properties FROM staged ORDER BY record`,
    )
    const path = rejects.finish()
    return { rows, accepted: accepted.getRows(), rejected: path === null ? '' : readFileSync(path, 'utf8') }
  } finally {
    rejects.discard()
    await connection.run('USE memory; DETACH reading')
    connection.closeSync()
  }
}

/** The events that an import makes of these lines. */
async function eventsOf(lines: readonly string[]) {
  writeFileSync(csv, lines.join('\n'))
  const fast = await readWith('fast')
  const read = fast === NEEDS_CARE ? await readWith('careful') : fast
  return (read as Exclude<typeof read, symbol>).accepted.map(([, ...event]) => event)
}

const oneOf = (...values: string[]) => fc.constantFrom(...values)

const row = fc.tuple(
  fc.oneof(
    fc.integer().map((n) => idFor(String(n))),
    oneOf(
      idFor('x').toUpperCase(),
      '',
      'x',
      `{${idFor('y')}}`,
      idFor('z').replaceAll('-', ''),
      `${idFor('a')} `,
      idFor('b').replace(/^(.{7})(.)-/, '$1-$2'),
      idFor('c').replace(/^./, '-'),
      idFor('d').replace(/.$/, 'g'),
    ),
  ),
  oneOf(
    '2025-08-21T06:52:34+03:00',
    '2025-08-21T06:52:34.123456Z',
    '2025-08-21 06:52:34',
    '2025-08-21',
    '2025-08-21T06:52',
    '2025-08-21T06:52:34.1234567Z',
    '2025-08-21T24:00:00Z',
    '2025-08-21T06:52:60Z',
    '2025-02-30T00:00:00Z',
    '2024-02-29T00:00:00-14:59',
    '1970-01-01T00:00:00Z',
    '1970-01-01T00:00:00+00:01',
    '2999-01-01T00:00:00Z',
    '20250821',
    'x',
    '',
    '2025-08-21T06:52:34+0300',
    '2025-08-21T06:52:34,5Z',
    ' 2025-08-21T06:52:34Z',
    '0001-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
  ),
  fc.oneof(
    oneOf(
      '1',
      'user',
      'ü',
      '',
      '\uFFFD',
      'a,b',
      'q"q',
      'two\nlines',
      'u'.repeat(256),
      'u'.repeat(257),
      '😀'.repeat(256),
      '😀'.repeat(257),
      ' ',
    ),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  ),
  oneOf('open', '', 't'.repeat(200), 't'.repeat(201), '😀'),
  fc.oneof(
    oneOf(
      '',
      '{}',
      '{"a":1}',
      '{ "a" : [1, {"b":"c"}] }',
      '[]',
      'null',
      '1',
      '"x"',
      '{',
      '{"a":1e2}',
      '{"a":1e999}',
      '{"a":-1E5}',
      '{"a":"1e5"}',
      '{"a":"\\ud800"}',
      '{"a":"\\ud83d\\ude00"}',
      '{"\\ud800":1}',
      '{"a":\n1}',
      `${'{"a":'.repeat(32)}1${'}'.repeat(32)}`,
      `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`,
      `{"a":"${'x'.repeat(32 * 1024 - 8)}"}`,
      `{"a":"${'x'.repeat(32 * 1024 - 7)}"}`,
      '{"a":"{[{["}',
      '{"a":01}',
      '{"a":1,}',
      '{"a":[1 , ] }',
      '{"a":1/*c*/}',
      '{"a":"\t"}',
      "{'a':1}",
      '{a:1}',
      '{"a":1}x',
      '{"a":1} ',
      '{"a":.5}',
      '{"a":+1}',
      '{"a":5.}',
      '{"a":0x10}',
      '{"a":inf}',
      '{"a":-nan}',
      '{"a":True}',
      '{"a":[nan]}',
      '{"a":[1,infinity]}',
      '{"a":1,"a":2}',
      '{"a":NaN}',
      '\u00a0{}',
      '{"a":1.50,"b":100,"c":-0.5,"d":1.0}',
      '{"a":12345678901234567890,"b":0.00001,"c":1234567890.12345}',
      '{"a": 1, "b": "x y", "c": null}',
      '{"a":"\uFFFD"}',
      '{"\uFFFD":1}',
      '{"a":"\u007F"}',
      '{"a":1,}',
      '{,}',
      '{"a":1"b":2}',
    ),
    fc
      .dictionary(
        fc.string({ maxLength: 4 }),
        fc.oneof(
          fc.string({ maxLength: 6 }),
          fc.integer(),
          fc.double({ noNaN: true }),
          fc.boolean(),
          fc.constant(null),
        ),
      )
      .map((o) => JSON.stringify(o)),
  ),
)

const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json'

/** What damages a row, or only looks as if it did. Each stands on a line of its own. */
const oddity = oneOf(
  '',
  ' ',
  ',',
  '"',
  '""',
  'x,"unclosed,open,{}',
  '"a"b,2025-08-21,u,t,{}',
  `${idFor('e1')},2025-08-21,u,t,{},`,
  `${idFor('e2')},2025-08-21,u, "t",{}`,
  `${idFor('e3')},2025-08-21,u,"t" ,{}`,
  `${idFor('e4')},2025-08-21,u\0v,t,{}`,
  `${idFor('e5')},2025-08-21,u,t`,
  `${idFor('e6')},2025-08-21,u,t,`,
  `${idFor('e7')},2025-08-21,q"q,t,{}`,
  `${idFor('e8')},2025-08-21,u,buy\r,{}`,
  `${idFor('e9')},2025-08-21,"a\r\nb",t,{}`,
  `${idFor('e10')},2025-08-21,NULL,t,{}`,
  `${idFor('e11')},2025-08-21,\\N,t,{}`,
  `${idFor('e12')},2025-08-21,u,\u2003,{}`,
  `${idFor('e13')},2025-08-21,u,t,"{""order"":9007199254740993}"`,
  `${idFor('e14')},2025-08-21,u,t,"{""plan"":""free"",""plan"":""pro""}"`,
  `${idFor('e15')},2025-08-21,u,t,"{""b"":1,""1"":2}"`,
  `${idFor('e16')},2025-08-21,u,t,"{""a"":1.10,""b"":-0}"`,
)

describe('the two readers of a CSV file', () => {
  before(async () => {
    duck = await openDuck({ threads: 2, memory_mb: 512, spill: join(folder, 'spill') })
  })
  after(() => {
    duck.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('make the same of every byte: the same events, and the same lines rejected for the same reasons', async () => {
    let compared = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 40, arbitrary: row }, { weight: 1, arbitrary: oddity }), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.array(oneOf('\n', '\r\n', '\r\r\n'), { minLength: 1, maxLength: 3 }),
        fc.constantFrom(false, false, false, true),
        async (rows, ends, mixed) => {
          const lines = [
            HEADER,
            ...rows.map((each) => (typeof each === 'string' ? each : papaparse.unparse([each]))),
          ]
          writeFileSync(csv, lines.map((line, i) => line + ends[mixed ? i % ends.length : 0]!).join(''))
          const fast = await readWith('fast')
          const careful = await readWith('careful')
          assert.notEqual(careful, NEEDS_CARE)
          if (fast === NEEDS_CARE) return
          compared += 1
          assert.deepEqual(fast, careful)
        },
      ),
      { numRuns: FILES },
    )
    assert.ok(compared > FILES / 8, `the fast reader took ${compared} files`)
  })

  it('let no row depend on its neighbours: one more unreadable line changes nothing for the others', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 12 }),
        oneOf('x', '"', '"x', 'a,"b', '"a"b', 'a,b,c', '\0', '"a\u0001"",'),
        fc.nat(),
        async (rows, bad, at) => {
          const lines = rows.map((each) => papaparse.unparse([each]))
          const place = at % (lines.length + 1)
          const clean = await eventsOf([HEADER, ...lines])
          const spoilt = await eventsOf([HEADER, ...lines.slice(0, place), bad, ...lines.slice(place)])
          assert.deepEqual(spoilt, clean)
        },
      ),
      { numRuns: howMany('csv_files_with_a_line_more') },
    )
  })
})
