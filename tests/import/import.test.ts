import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { ImportReport } from '../../src/import/job.ts'
import { howMany } from '../support/counts.ts'
import { counts, GOOD, HEADER } from '../support/importing.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import { idFor, sampleEvents, toCsv } from '../support/sample.ts'
import { countOf, createTestStore, get, post, postAll } from '../support/store.ts'

/** Whoever reads and posts asks the one service; each test has days of its own. */
describe('import', () => {
  const service = serveStore()
  const store = createTestStore(service.data_dir)
  const csv = join(store.dir, 'history.csv')
  after(() => store.remove())

  async function importText(text: string): Promise<ImportReport> {
    writeFileSync(csv, text)
    const run = await store.cli(['import', csv, '--json'])
    assert.equal(run.code, 0, run.stderr)
    return JSON.parse(run.stdout) as ImportReport
  }

  it('answers as if the rows had been posted, and finds all of them again as duplicates', async (t) => {
    const events = sampleEvents(7, 1_000, '2025-08-01', 5)
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
      'rejected_file',
    ])
    assert.deepEqual(counts(report), { rows: 1_000, imported: 1_000, duplicates: 0, rejected: 0 })
    assert.equal(report.days, 5)
    const posted = createInProcessStore()
    t.after(() => posted.remove())
    await posted.start()
    await postAll(posted.url, events)
    for (const question of [
      '/stats/dau?from=2025-08-01&to=2025-08-05',
      '/stats/top-events?from=2025-08-01&to=2025-08-05&properties.country=UA',
      '/stats/top-events?from=2025-08-01&to=2025-08-05&segment=properties.price:12.5,3',
      '/stats/retention?start_date=2025-08-02&windows=3',
    ]) {
      const imported = await get(service.url + question)
      assert.equal(imported.status, 200)
      assert.deepEqual({ ...imported.json, meta: 0 }, { ...(await get(posted.url + question)).json, meta: 0 })
    }
    assert.equal((await post(`${service.url}/events`, events)).json['duplicates'], 1_000)
    const again = await importText(toCsv(events, '\r\n'))
    assert.deepEqual(counts(again), { rows: 1_000, imported: 0, duplicates: 1_000, rejected: 0 })
  })

  it('keeps the first of several copies in a file, in file order', async () => {
    const copies = Array.from(
      { length: 50 },
      (_, i) =>
        `${idFor('same')},2025-07-${String(5 + (i % 24)).padStart(2, '0')}T0${i % 10}:00:00Z,u${i},t,{}`,
    )
    // One copy that only the schema can judge comes first, one that DuckDB accepts comes second.
    const first = `${idFor('same')},2025-07-04,first,t,{}`
    const report = await importText([HEADER, first, ...copies].join('\n'))
    assert.deepEqual(counts(report), { rows: 51, imported: 1, duplicates: 50, rejected: 0 })
    const { json } = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=2025-07-04&to=2025-07-04&segment=user_id:first`,
    )
    assert.equal(json.data[0]!.dau, 1)
  })

  it('finds copies of hot rows, of sealed rows and of rows with another time', async () => {
    const events = sampleEvents(3, 900, '2025-06-02', 2)
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

  it('counts every event once when the same ids are posted while they are imported', async () => {
    const rounds = howMany('imports_beside_posts')
    for (let round = 0; round < rounds; round += 1) {
      const part = sampleEvents(110 + round, 1_000, '2025-05-01', 3)
      writeFileSync(csv, toCsv(part))
      const state = { finished: false }
      const importing = store.cli(['import', csv, '--json']).finally(() => {
        state.finished = true
      })
      let accepted = 0
      for (let i = 0; i < part.length || !state.finished; i += 50) {
        const batch = part.slice(i % part.length, (i % part.length) + 50)
        accepted += (await post(`${service.url}/events`, batch)).json['accepted'] as number
      }
      const report = JSON.parse((await importing).stdout) as ImportReport
      assert.equal(report.imported + accepted, part.length)
    }
    assert.equal(await countOf(service.url, 'from=2025-05-01&to=2025-05-03'), rounds * 1_000)
  })

  it('is called import_events too', async () => {
    writeFileSync(csv, [HEADER, GOOD('a')].join('\n'))
    const run = await store.script('src/cli/import-events.ts', [csv, '--json'])
    assert.equal((JSON.parse(run.stdout) as ImportReport).imported, 1)
  })
})
