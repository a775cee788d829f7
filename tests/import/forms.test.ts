import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { ImportReport } from '../../src/import/job.ts'
import { HEADER } from '../support/importing.ts'
import { serveStore } from '../support/in-process.ts'
import type { ReadEvent } from '../support/reading-events.ts'
import { idFor, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { createTestStore, get } from '../support/store.ts'

/** What most texts do not have: other scripts, delimiters, quotes, line ends, blanks, fractions of a second. */
const WORDS = ['plain', 'ü 😀', 'a,b;c\td', 'say "hi"', 'two\nlines', ' blanks ']

/** Events of one day, which no other form has. */
function eventsOf(form: string, day: string): SampleEvent[] {
  return WORDS.map((word, i) => ({
    event_id: idFor(`${form}${i}`),
    occurred_at: `${day}T10:0${i}:00.12300${i}Z`,
    user_id: word,
    event_type: `type ${word}`,
    properties: { word, n: i + 0.5 },
  }))
}

const csvWith = (delimiter: string, events: readonly SampleEvent[]) =>
  [
    HEADER.replaceAll(',', delimiter),
    ...events.map((e) =>
      [e.event_id, e.occurred_at, e.user_id, e.event_type, JSON.stringify(e.properties)]
        .map((cell) => `"${String(cell).replaceAll('"', '""')}"`)
        .join(delimiter),
    ),
  ].join('\n')

const utf16be = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()
const withHeader = (header: string, events: readonly SampleEvent[]) => toCsv(events).replace(HEADER, header)

/** The same events as numbers of a unit, in whole units. */
const timesIn = (unit_us: number, events: readonly SampleEvent[]) =>
  events.map((e) => ({
    ...e,
    occurred_at: String(
      Math.floor((Date.parse(e.occurred_at) * 1_000 + Number(e.occurred_at.slice(23, 26))) / unit_us),
    ),
  }))
const cutTo = (digits: number) => (e: SampleEvent) => ({
  ...e,
  occurred_at: `${e.occurred_at.slice(0, 20 + digits).padEnd(26, '0')}Z`,
})

interface Form {
  write: (events: SampleEvent[]) => string | Buffer
  args?: readonly string[]
  /** What is stored, where that is not what a plain file gives. */
  stored?: (event: SampleEvent) => SampleEvent
}

const FORMS: Readonly<Record<string, Form>> = {
  plain: { write: (events) => toCsv(events) },
  gzip: { write: (events) => gzipSync(toCsv(events)) },
  'two members of gzip': {
    write: (events) =>
      Buffer.concat([gzipSync(toCsv(events.slice(0, 2))), gzipSync(rowsOf(events.slice(2)))]),
  },
  'UTF-16 LE': { write: (events) => Buffer.from(`\uFEFF${toCsv(events)}`, 'utf16le') },
  'UTF-16 BE': { write: (events) => utf16be(toCsv(events)) },
  'UTF-16 in gzip': { write: (events) => gzipSync(utf16be(toCsv(events))) },
  'UTF-8 with a byte order mark': { write: (events) => `\uFEFF${toCsv(events)}` },
  semicolons: { write: (events) => csvWith(';', events) },
  tabs: { write: (events) => csvWith('\t', events) },
  'carriage returns': { write: (events) => toCsv(events, '\r\n') },
  'case and blanks in the header': {
    write: (events) => withHeader(' Event_ID ,OCCURRED_AT,"user_id ",Event_Type, properties_json', events),
  },
  'other names': {
    write: (events) => withHeader('id,ts,User,name,props', events),
    args: ['--map', 'ID=event_id,ts=occurred_at,user=user_id,name=event_type,props=properties_json'],
  },
  'further columns': {
    write: (events) =>
      [
        `${HEADER},country,empty,word`,
        ...rowsOf(events)
          .split(/\n(?=[0-9a-f]{8}-)/)
          .map((row) => `${row.trimEnd()},PL,,other`),
      ].join('\n'),
    args: ['--extra-columns', 'properties'],
    stored: (event) => ({ ...event, properties: { country: 'PL', ...event.properties } }),
  },
  'further columns and no properties': {
    write: (events) =>
      [
        'event_id,occurred_at,user_id,event_type,n',
        ...events.map((e, i) => `${e.event_id},${e.occurred_at},u,t,${i}`),
      ].join('\n'),
    args: ['--extra-columns=properties'],
    stored: (event) => ({
      ...event,
      user_id: 'u',
      event_type: 't',
      properties: { n: String(WORDS.indexOf(String(event.user_id))) },
    }),
  },
  'times in s': {
    write: (events) => toCsv(timesIn(1_000_000, events)),
    args: ['--time-format', 'epoch_s'],
    stored: cutTo(0),
  },
  'times in ms': {
    write: (events) => toCsv(timesIn(1_000, events)),
    args: ['--time-format', 'epoch_ms'],
    stored: cutTo(3),
  },
  'times in µs': { write: (events) => toCsv(timesIn(1, events)), args: ['--time-format=epoch_us'] },
  'a list of rejected rows': {
    write: (events) =>
      [
        `line,reason,${HEADER}`,
        ...rowsOf(events)
          .split(/\n(?=[0-9a-f]{8}-)/)
          .map((row) => `3,"no, time",${row.trimEnd()}`),
      ].join('\n'),
  },
}

/** The rows without their header. */
function rowsOf(events: readonly SampleEvent[]): string {
  return toCsv(events).slice(HEADER.length + 1)
}

describe('a CSV file goes in, event by event', () => {
  const service = serveStore()
  const store = createTestStore(service.data_dir)
  after(() => store.remove())

  const importFiles = async (
    files: readonly string[],
    args: readonly string[] = [],
    input?: string | Buffer,
  ) => {
    const run = await store.cli(['import', ...files, '--json', ...args], {}, input as string)
    assert.equal(run.code, 0, run.stderr)
    return JSON.parse(run.stdout) as ImportReport
  }
  async function isStored(day: string, expected: readonly SampleEvent[]): Promise<void> {
    const { json } = await get<{ data: ReadEvent[] }>(`${service.url}/events?from=${day}&to=${day}`)
    assert.deepEqual(
      json.data.toReversed(),
      expected.map((e) => ({ ...e, occurred_at: e.occurred_at })),
    )
  }

  for (const [n, [form, { write, args, stored }]] of Object.entries(FORMS).entries()) {
    it(`with ${form}`, async () => {
      const day = `2025-07-${String(n + 1).padStart(2, '0')}`
      const events = eventsOf(form, day)
      const path = join(store.dir, `${n}.txt`)
      writeFileSync(path, write(events))
      const { rows, imported } = await importFiles([path], args)
      assert.deepEqual([rows, imported], [WORDS.length, WORDS.length])
      await isStored(day, stored === undefined ? events : events.map(stored))
    })
  }

  it('from stdin', async () => {
    const events = eventsOf('stdin', '2025-08-01')
    assert.equal((await importFiles(['-'], [], toCsv(events))).imported, WORDS.length)
    await isStored('2025-08-01', events)
  })

  it('from several files, each counted for itself', async () => {
    const events = eventsOf('several', '2025-08-02')
    const files = ['a', 'b', 'c'].map((name) => join(store.dir, `${name}.csv`))
    for (const [i, file] of files.entries()) writeFileSync(file, toCsv(events.slice(i * 2, i * 2 + 2)))
    const { data } = (await importFiles(files)) as unknown as { data: (ImportReport & { file: string })[] }
    assert.deepEqual(
      data.map(({ file, imported }) => [file, imported]),
      files.map((file) => [file, 2]),
    )
    await isStored('2025-08-02', events)
  })
})
