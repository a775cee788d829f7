import assert from 'node:assert/strict'
import { chmodSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import papaparse from 'papaparse'
import { RECORD_BYTES_MAX } from '../../src/event/csv-scanner.ts'
import { counts } from '../support/importing.ts'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import type { ImportReport } from '../../src/import/job.ts'
import { idFor } from '../support/sample.ts'
import { createTestStore } from '../support/store.ts'
import type { Run, TestStore } from '../support/store.ts'

const lineOf = (id: string, more: object = {}) =>
  JSON.stringify({
    event_id: idFor(id),
    occurred_at: '2025-08-21T06:52:34.123456Z',
    user_id: 'u1',
    event_type: 'open',
    properties: { id },
    ...more,
  })

/** A valid event whose line has this many bytes. */
function lineOfBytes(id: string, bytes: number): string {
  const line = lineOf(id)
  return `${line.slice(0, -1)}${' '.repeat(bytes - line.length)}}`
}

/** Each stands on a line of its own. */
const LINES: readonly (string | Buffer)[] = [
  lineOf('plain'),
  '',
  '   \t\r',
  `  ${lineOf('blanks around')}  `,
  `${lineOf('return')}\r`,
  lineOf('number', { user_id: 7, properties: { n: 1, big: 2 } }).replace('"big":2', '"big":9007199254740993'),
  lineOf('whole', {}).replace('"u1"', '1.0'),
  lineOf('wide', { user_id: 'ü😀', properties: { text: 'żółć 😀' } }),
  lineOf('none', { properties: undefined }),
  lineOf('upper').replace(idFor('upper'), idFor('upper').toUpperCase()),
  lineOf('plain', { user_id: 'copy' }),
  lineOfBytes('longest', RECORD_BYTES_MAX),
  lineOf('across', { properties: { text: 'ü'.repeat(16_000) } }),
  lineOfBytes('too long', RECORD_BYTES_MAX + 1),
  lineOf('after too long'),
  'not JSON',
  `${lineOf('two')} ${lineOf('in one line')}`,
  '[]',
  `[${lineOf('in a list')}]`,
  'null',
  '1',
  '"text"',
  '{}',
  '['.repeat(1_001) + ']'.repeat(1_001),
  Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
  lineOf('field', { surprise: 1 }),
  lineOf('time', { occurred_at: 'yesterday' }),
  lineOf('user', { user_id: null }),
  lineOf('type', { event_type: '' }),
  lineOf('list', { properties: [] }),
  lineOf('deep', { properties: JSON.parse(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`) as object }),
  lineOf('large', { properties: { text: 'x'.repeat(32 * 1024) } }),
  lineOf('last'),
]
const FILE = Buffer.concat(
  ['\uFEFF', ...LINES.flatMap((line) => [line, '\n'])]
    .map((part) => Buffer.from(part as string))
    .slice(0, -1),
)

const reportOf = ({ stdout }: Run) => JSON.parse(stdout) as ImportReport & { rejected_file: string | null }
const linesOf = (name: string) => `${lineOf(`${name}1`)}\n${lineOf(`${name}2`)}\n`

async function eventsOf(store: InProcessStore): Promise<unknown[]> {
  const response = await fetch(`${store.url}/events?from=2025-08-01&to=2025-08-31&limit=1000`)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  // As text, because JSON.parse would round numbers.
  return /"data":(\[.*\]),"next_cursor"/s.exec(text)![1]!.split('},{').toSorted()
}

describe('an NDJSON file', () => {
  it('gives the same events, and the same rejections on the same lines, as a posted body', async (t) => {
    const posted = createInProcessStore()
    const imported = createInProcessStore()
    t.after(() => Promise.all([posted.remove(), imported.remove()]))
    await posted.start()
    const response = await fetch(`${posted.url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: FILE,
    })
    const reply = (await response.json()) as {
      received: number
      accepted: number
      duplicates: number
      rejected: number
      errors: { index: number; message: string }[]
    }
    assert.equal(response.status, 200)

    const list = join(imported.layout.database, '../../import.csv.rejected.csv')
    const report = await imported.importCsv(FILE, undefined, {
      format: 'ndjson',
      strict: false,
      force: false,
    })
    assert.deepEqual(counts(report), {
      rows: reply.received,
      imported: reply.accepted,
      duplicates: reply.duplicates,
      rejected: reply.rejected,
    })
    assert.ok(reply.accepted > 9 && reply.duplicates === 1 && reply.rejected > 15)
    const numbers = LINES.flatMap((line, i) => (line.toString().trim() === '' ? [] : [i + 1]))
    const { data } = papaparse.parse<string[]>(readFileSync(list, 'utf8').trimEnd())
    assert.deepEqual(data[0], ['line', 'reason', 'text'])
    assert.deepEqual(
      data.slice(1).map(([line, reason]) => [Number(line), reason]),
      reply.errors.map(({ index, message }) => [numbers[index], message]),
    )
    for (const [line, , text] of data.slice(1)) {
      const whole = LINES[Number(line) - 1]!.toString()
      assert.equal(text, whole.slice(0, RECORD_BYTES_MAX))
    }
    await imported.start()
    assert.deepEqual(await eventsOf(imported), await eventsOf(posted))
  })
})

describe('frostline import of NDJSON', () => {
  let store: TestStore
  before(() => {
    store = createTestStore()
  })
  after(() => store.remove())

  async function importAs(name: string, text: string | Buffer, ...args: string[]): Promise<Run> {
    const path = join(store.dir, name)
    writeFileSync(path, text)
    return store.cli(['import', path, '--json', ...args])
  }

  it('takes the format from --format, else from the name', async () => {
    for (const [name, text, ...args] of [
      ['a.ndjson', linesOf('a')],
      ['b.jsonl', linesOf('b')],
      ['c.ndjson.gz', gzipSync(linesOf('c'))],
      ['D.JSONL.GZ', gzipSync(linesOf('d'))],
      ['e.json', linesOf('e'), '--format', 'ndjson'],
      ['f', Buffer.from(`\uFEFF${linesOf('f')}`, 'utf16le'), '--format', 'ndjson'],
    ] as const) {
      const run = await importAs(name, text, ...args)
      assert.equal(run.code, 0, run.stderr)
      assert.equal(reportOf(run).imported, 2, name)
    }
    const csv = await importAs('csv.ndjson', 'event_id,occurred_at', '--format', 'csv')
    assert.match(csv.stderr, /lacks the columns/)
    const piped = await store.cli(['import', '-', '--format', 'ndjson', '--json'], {}, linesOf('piped'))
    assert.equal(reportOf(piped).imported, 2)
  })

  it('says that a file is JSON which is read as CSV', async () => {
    const run = await importAs('wrong.json', `\n${linesOf('wrong')}`)
    assert.deepEqual([run.code, run.stdout], [1, ''])
    assert.match(run.stderr, /wrong\.json is JSON and not CSV; say its --format/)
  })

  it('is wrong usage with an option of CSV', async () => {
    for (const option of ['--map=user=user_id', '--extra-columns=properties', '--time-format=epoch_s']) {
      const run = await importAs('options.ndjson', linesOf('options'), option)
      assert.equal(run.code, 2)
      assert.match(run.stderr, /is only for CSV/)
    }
    assert.equal((await importAs('x', '', '--format', 'xml')).code, 2)
  })

  it('imports the same bytes again when they are read in another way', async () => {
    const text = `${JSON.stringify({ uuid: idFor('way'), event: 'open', distinct_id: 'u', timestamp: '2025-08-21', properties: {} })}\n`
    assert.deepEqual(reportOf(await importAs('way.ndjson', text)).rejected, 1)
    assert.deepEqual(reportOf(await importAs('way.ndjson', text, '--format', 'posthog')).imported, 1)
    const again = reportOf(await importAs('way.ndjson', text, '--format', 'posthog'))
    assert.notEqual(again.already_imported_at, null)
  })

  it('fails when every line is rejected; the list has the mode of its file', async () => {
    const path = join(store.dir, 'bad.ndjson')
    const list = `${path}.rejected.csv`
    writeFileSync(path, 'x\n{}\n')
    for (const mode of [0o600, 0o640, 0o644]) {
      chmodSync(path, mode)
      const run = await store.cli(['import', path, '--json', '--force'])
      assert.deepEqual([run.code, reportOf(run).rejected, reportOf(run).rejected_file], [1, 2, list])
      assert.equal(statSync(list).mode & 0o777, mode)
      assert.equal(
        readFileSync(list, 'utf8'),
        'line,reason,text\n1,line 1 is not JSON,x\n2,event_id is missing,{}\n',
      )
    }
  })

  it('never writes the list through a link', async () => {
    const path = join(store.dir, 'linked.ndjson')
    const victim = join(store.dir, 'victim')
    for (const link of [`${path}.rejected.csv`, `${path}.rejected.csv.tmp`]) {
      writeFileSync(victim, 'mine')
      symlinkSync(victim, link)
      writeFileSync(path, `x${link.length}\n`)
      assert.equal((await store.cli(['import', path])).code, 1)
      assert.equal(readFileSync(victim, 'utf8'), 'mine', link)
      rmSync(link, { force: true })
    }
  })

  it('imports nothing with --strict when a line is rejected', async () => {
    const run = await importAs('strict.ndjson', `${linesOf('strict')}x\n`, '--strict')
    assert.deepEqual([run.code, reportOf(run).imported, reportOf(run).rejected], [1, 0, 1])
  })
})
