import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { ImportReport } from '../../src/import/job.ts'
import { counts } from '../support/importing.ts'
import { serveStore } from '../support/in-process.ts'
import type { ReadEvent } from '../support/reading-events.ts'
import { idFor } from '../support/sample.ts'
import { createTestStore, get } from '../support/store.ts'

/** Three events each: one with an id that is a UUID, one with another id, one without any. The fourth line is none. */
const EXPORTS: Readonly<Record<string, readonly object[]>> = {
  posthog: [
    {
      uuid: idFor('p1'),
      event: 'open',
      distinct_id: 'u1',
      timestamp: '2025-08-01T10:00:00+00:00',
      properties: '{"a": 1}',
    },
    {
      uuid: 'not-a-uuid',
      event: '$pageview',
      distinct_id: 'u2',
      timestamp: '2025-08-01 11:00:00.5',
      properties: { b: 2 },
    },
    { event: 'close', distinct_id: 'u1', timestamp: '2025-08-01T12:00:00Z', properties: {} },
    { event: 'never', distinct_id: 'u1', timestamp: 'never', properties: {} },
  ],
  mixpanel: [
    { event: 'open', properties: { time: 1754128800, distinct_id: 'u1', $insert_id: idFor('m1'), a: 1 } },
    { event: '$pageview', properties: { time: 1754132400.5, distinct_id: 'u2', $insert_id: 'abc', b: 2 } },
    { event: 'close', properties: { time: 1754136000000, distinct_id: 'u1' } },
    { event: 'never', properties: { distinct_id: 'u1' } },
  ],
  amplitude: [
    {
      $insert_id: idFor('a1'),
      event_time: '2025-08-03 10:00:00.000000',
      user_id: 'u1',
      event_type: 'open',
      event_properties: { a: 1 },
    },
    {
      $insert_id: 'abc',
      event_time: '2025-08-03 11:00:00.500000',
      device_id: 'u2',
      event_type: '$pageview',
      event_properties: { b: 2 },
    },
    { event_time: '2025-08-03 12:00:00.000000', user_id: 'u1', event_type: 'close', event_properties: {} },
    { event_time: '', user_id: 'u1', event_type: 'never' },
  ],
}

describe('frostline import of an export', () => {
  const service = serveStore()
  const store = createTestStore(service.data_dir)
  after(() => store.remove())

  for (const [n, [vendor, rows]] of Object.entries(EXPORTS).entries()) {
    it(`of ${vendor} stores each event once, however often and in whatever file it comes`, async () => {
      const path = join(store.dir, `${vendor}.json.gz`)
      const lines = rows.map((row) => JSON.stringify(row))
      const importFile = async (text: string) => {
        writeFileSync(path, gzipSync(text))
        const run = await store.cli(['import', path, '--format', vendor, '--json'])
        assert.equal(run.code, 0, run.stderr)
        return counts(JSON.parse(run.stdout) as ImportReport)
      }
      assert.deepEqual(await importFile(lines.join('\n')), {
        rows: 4,
        imported: 3,
        duplicates: 0,
        rejected: 1,
      })
      const again = lines.toReversed().join('\r\n')
      assert.deepEqual(await importFile(again), { rows: 4, imported: 0, duplicates: 3, rejected: 1 })
      const list = readFileSync(`${path}.rejected.csv`, 'utf8')
      assert.match(list, /^line,reason,text\n1,"?occurred_at .*never.*\n$/)

      const day = `2025-08-0${n + 1}`
      const { json } = await get<{ data: ReadEvent[] }>(`${service.url}/events?from=${day}&to=${day}`)
      assert.deepEqual(
        json.data
          .toReversed()
          .map((e) => [e.occurred_at, e.user_id, e.event_type, e.properties['a'] ?? e.properties['b']]),
        [
          [`${day}T10:00:00.000000Z`, 'u1', 'open', 1],
          [`${day}T11:00:00.500000Z`, 'u2', '$pageview', 2],
          [`${day}T12:00:00.000000Z`, 'u1', 'close', undefined],
        ],
      )
    })
  }
})
