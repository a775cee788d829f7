import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import type { FileMetaData } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { createInProcessStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { idFor, sampleEvents } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { post } from '../support/store.ts'

/** The cold files as hyparquet reads them, which shares no code with DuckDB: whoever leaves Frostline takes the data along. */

interface ColdRow {
  event_id: string
  /** Microseconds since 1970. */
  occurred_at: bigint
  user_id: string
  event_type: string
  properties: string
}

interface ColdFile {
  day: string
  rows: ColdRow[]
  metadata: FileMetaData
}

const TRICKY: Record<string, unknown>[] = [
  {},
  { emoji: '🐧 and 👩‍👩‍👧', accents: 'Żółć', chinese: '雪线' },
  { quotes: `"double" 'single' \`back\``, backslash: 'C:\\new', comma: 'a,b' },
  { nul: 'before\u0000after', controls: '\u0001\b\t\n\r\u001f\u007f', separator: '\u2028' },
  { 'key "quoted"': 1, 'a.b': 2, '🔑': 3, '': 4 },
  { int: 9007199254740991, negative: -0.5, tiny: 1e-7, huge: 1e300, yes: true, none: null },
  { deep: { list: [1, [2, { three: '3' }]] }, long: 'x'.repeat(20_000) },
]

function trickyEvents(): SampleEvent[] {
  const times = ['00:00:00', '00:00:00.000001', '12:34:56.789012', '23:59:59.999999', '06:00:00.1']
  const users = ['ünï', 'o\'hara "x"', '🐧', ' x ', '10', '9', 7]
  return TRICKY.flatMap((properties, n) =>
    times.map((time, m) => ({
      event_id: idFor(`tricky ${n}:${m}`),
      occurred_at: `2025-08-0${1 + (n % 3)}T${time}Z`,
      user_id: users[(n + m) % users.length]!,
      event_type: ['app_open', 'näme with "quotes"', '🛒'][m % 3]!,
      properties,
    })),
  )
}

/** Ids at the ends of what a UUID can be, and of every version's shape. */
function idEvents(): SampleEvent[] {
  const ids = [
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '7fffffff-ffff-4fff-8fff-ffffffffffff',
    '80000000-0000-4000-8000-000000000000',
    '01890000-0000-7000-8000-000000000001',
  ]
  return ids.map((event_id, n) => ({
    event_id,
    occurred_at: '2025-08-04T10:00:00Z',
    user_id: n,
    event_type: 'id',
    properties: {},
  }))
}

/** What a cold row must be for this event. */
function rowOf(event: SampleEvent): ColdRow {
  const [seconds, fraction = ''] = event.occurred_at.replace('Z', '').split('.')
  return {
    event_id: event.event_id,
    occurred_at: BigInt(Date.parse(`${seconds}Z`)) * 1_000n + BigInt(fraction.padEnd(6, '0')),
    user_id: String(event.user_id),
    event_type: event.event_type,
    properties: JSON.stringify(event.properties),
  }
}

function byId(rows: readonly ColdRow[]): ColdRow[] {
  return rows.toSorted((a, b) => Buffer.compare(Buffer.from(a.event_id), Buffer.from(b.event_id)))
}

describe('cold files read by hyparquet', () => {
  const events = [...trickyEvents(), ...idEvents(), ...sampleEvents(7, 3_000, '2025-08-01', 5)]
  const late = sampleEvents(8, 500, '2025-08-01', 2)
  let store: InProcessStore

  before(async () => {
    store = createInProcessStore()
    await store.start()
    assert.equal((await post(`${store.url}/events`, events)).json['accepted'], events.length)
    await store.compact()
  })
  after(() => store.remove())

  async function readCold(): Promise<ColdFile[]> {
    const listed = store.inSqlite(
      (db) =>
        db.prepare('SELECT path, rows FROM cold_files ORDER BY path').all() as {
          path: string
          rows: number
        }[],
    )
    return Promise.all(
      listed.map(async ({ path, rows: expected }) => {
        const file = await asyncBufferFromFile(join(store.layout.cold, path))
        const metadata = await parquetMetadataAsync(file)
        const rows = (await parquetReadObjects({
          file,
          metadata,
          compressors,
          // Dates would lose the microseconds.
          parsers: { timestampFromMicroseconds: (us: bigint) => us },
        })) as unknown as ColdRow[]
        assert.equal(rows.length, expected, path)
        return { day: path.slice('day='.length, 'day=YYYY-MM-DD'.length), rows, metadata }
      }),
    )
  }

  it('hold every event that was posted, to the microsecond and to the character', async () => {
    const files = await readCold()
    assert.deepEqual(byId(files.flatMap(({ rows }) => rows)), byId(events.map(rowOf)))
  })

  it('hold the events of one day each, sorted by user and then time', async () => {
    for (const { day, rows } of await readCold()) {
      for (const { occurred_at } of rows) {
        assert.equal(new Date(Number(occurred_at / 1_000n)).toISOString().slice(0, 10), day)
      }
      const sorted = rows.toSorted(
        (a, b) =>
          Buffer.compare(Buffer.from(a.user_id), Buffer.from(b.user_id)) ||
          Number(a.occurred_at - b.occurred_at),
      )
      const keys = (all: readonly ColdRow[]) =>
        all.map(({ user_id, occurred_at }) => `${user_id} ${occurred_at}`)
      assert.deepEqual(keys(rows), keys(sorted))
    }
  })

  it('are compressed with zstd and typed as UUID, UTC microseconds and text', async () => {
    for (const { metadata } of await readCold()) {
      const codecs = metadata.row_groups.flatMap(({ columns }) => columns.map((c) => c.meta_data?.codec))
      assert.deepEqual(new Set(codecs), new Set(['ZSTD']))
      const types = metadata.schema
        .slice(1)
        .map(({ name, logical_type, converted_type }) => [name, logical_type?.type ?? converted_type])
      assert.deepEqual(types, [
        ['event_id', 'UUID'],
        ['occurred_at', 'TIMESTAMP'],
        ['user_id', 'UTF8'],
        ['event_type', 'UTF8'],
        ['properties', 'UTF8'],
      ])
      const time = metadata.schema[2]!.logical_type
      assert.ok(time?.type === 'TIMESTAMP' && time.isAdjustedToUTC && time.unit === 'MICROS')
    }
  })

  it('hold the same events after files of a day were merged', async () => {
    for (let n = 0; n < 5; n += 1) {
      await post(`${store.url}/events`, late.slice(n * 100, (n + 1) * 100))
      await store.compact()
    }
    const files = await readCold()
    const origins = store.inSqlite((db) => db.prepare('SELECT DISTINCT origin FROM cold_files').pluck().all())
    assert.deepEqual(origins.toSorted(), ['compaction', 'merge'])
    assert.deepEqual(byId(files.flatMap(({ rows }) => rows)), byId([...events, ...late].map(rowOf)))
  })
})
