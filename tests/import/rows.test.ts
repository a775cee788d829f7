import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { ImportReport } from '../../src/import/job.ts'
import { openLayout } from '../../src/store/layout.ts'
import { counts, GOOD, HEADER, prepareImport } from '../support/importing.ts'
import { idFor } from '../support/sample.ts'
import { readStored } from '../support/visible.ts'

describe('import', () => {
  const home = prepareImport()
  const { importText, rejects } = home

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
    it(`reads a file with ${name}`, async () => {
      assert.deepEqual(counts(await importText(text)), { rows: 2, imported: 2, duplicates: 0, rejected: 0 })
    })
  }

  it('keeps embedded newlines, quotes, commas, offsets, microseconds and empty properties', async () => {
    const report = await importText(
      [
        HEADER,
        `${idFor('a')},2025-08-01T01:30:00.000001+03:00,"user ""one"", first\nline",open,"{""a"":\n 1}"`,
        `${idFor('b')},2025-08-01 23:59:59.999999,u2,open,`,
        `${idFor('c')},2025-08-01T23:59:59.999999-00:30,u3,open,"{}"`,
      ].join('\n'),
    )
    assert.equal(report.imported, 3)
    const stored = await readStored(openLayout(home.store.data_dir))
    assert.deepEqual(
      stored.map(({ occurred_at_us, user_id, properties }) => [
        occurred_at_us,
        user_id,
        JSON.parse(properties),
      ]),
      [
        [Date.parse('2025-07-31T22:30:00Z') * 1_000 + 1, 'user "one", first\nline', { a: 1 }],
        [Date.parse('2025-08-02T00:00:00Z') * 1_000 - 1, 'u2', {}],
        [Date.parse('2025-08-02T00:30:00Z') * 1_000 - 1, 'u3', {}],
      ],
    )
  })

  const BAD_ROWS = [
    [`nonsense,2025-08-21,u,t,{}`, 'event_id must be a UUID'],
    [`${idFor('1')},yesterday,u,t,{}`, 'occurred_at must be an ISO 8601 time'],
    [`${idFor('2')},2025-02-29,u,t,{}`, 'occurred_at must be an ISO 8601 time'],
    [`${idFor('3')},2999-01-01,u,t,{}`, 'occurred_at must be between'],
    [`${idFor('4')},1969-12-31T23:59:59.999999Z,u,t,{}`, 'occurred_at must be between'],
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
    [`${idFor('14')},10/06/2024,u,t,{}`, 'occurred_at may be day and month or month and day'],
    [`${idFor('15')},2025-08-21,NULL,t,{}`, 'user_id must name something'],
    [`${idFor('16')},2025-08-21,u,\\N,{}`, 'event_type must name something'],
    [`${idFor('17')},2025-08-21,  ,t,{}`, 'user_id must name something'],
  ] as const
  const MALFORMED_ROWS = [
    [`${idFor('20')},2025-08-21,u,t`, 'the row has 4 fields instead of 5'],
    [`${idFor('21')},2025-08-21,u,t,{},more`, 'the row has 6 fields instead of 5'],
    [`${idFor('22')},2025-08-21,u,t,{},`, 'the row has 6 fields instead of 5'],
    [`${idFor('23')},2025-08-21,"never closed,t,{}`, 'a quoted field is not closed'],
    [`${idFor('24')},2025-08-21,u\0,t,{}`, 'user_id must be'],
  ] as const

  for (const [how, bad] of [
    ['row by row', [...BAD_ROWS, ...MALFORMED_ROWS]],
    ['in one go', BAD_ROWS],
  ] as const) {
    it(`rejects bad rows with line and reason and imports their neighbours, reading ${how}`, async () => {
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

  it('loses one line to a broken quote, and keeps that line in the file of rejected rows', async () => {
    const broken = `${idFor('b')},2025-08-21,u,t,"{}"x`
    const report = await importText([HEADER, GOOD('a'), broken, GOOD('c'), GOOD('d')].join('\n'))
    assert.deepEqual(counts(report), { rows: 4, imported: 3, duplicates: 0, rejected: 1 })
    const text = rejects().join('\n')
    assert.match(text, /\n3,"a quoted field is not closed/)
    assert.ok(text.includes(idFor('b')) && !text.includes(idFor('c')))
  })

  it('takes a corrected file of rejected rows as it is, and deletes the old one when nothing is rejected', async () => {
    assert.equal((await importText([HEADER, GOOD('a'), `${idFor('b')},soon,u,t,{}`].join('\n'))).rejected, 1)
    const corrected = join(home.store.dir, 'corrected.csv')
    writeFileSync(
      corrected,
      readFileSync(`${home.csv}.rejected.csv`, 'utf8').replace(',soon,', ',2025-08-21,'),
    )
    const run = await home.store.cli(['import', corrected, '--json'])
    assert.deepEqual(counts(JSON.parse(run.stdout) as ImportReport), {
      rows: 1,
      imported: 1,
      duplicates: 0,
      rejected: 0,
    })
    assert.equal((await importText([HEADER, GOOD('a')].join('\n'))).rejected, 0)
    assert.equal(existsSync(`${home.csv}.rejected.csv`), false)
  })

  it('imports nothing with --strict when a row is bad', async () => {
    writeFileSync(home.csv, [HEADER, GOOD('a'), 'bad,2025-08-21,u,t,{}'].join('\n'))
    const run = await home.store.cli(['import', home.csv, '--json', '--strict'])
    assert.equal(run.code, 1)
    assert.deepEqual(counts(JSON.parse(run.stdout) as ImportReport), {
      rows: 2,
      imported: 0,
      duplicates: 0,
      rejected: 1,
    })
    assert.equal(rejects().length, 2)
    assert.equal((await importText([HEADER, GOOD('a')].join('\n'), ['--strict'])).imported, 1)
  })
})
