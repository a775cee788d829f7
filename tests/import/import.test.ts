import assert from 'node:assert/strict'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { ImportReport } from '../../src/import/job.ts'
import { counts, GOOD, HEADER, prepareImport } from '../support/importing.ts'
import { idFor, sampleEvents, toCsv } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'

describe('import', () => {
  const home = prepareImport()
  const { importText } = home

  it('answers as if the rows had been posted, and finds all of them again as duplicates', async (t) => {
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
      'rejected_file',
    ])
    assert.deepEqual(counts(report), { rows: 3_000, imported: 3_000, duplicates: 0, rejected: 0 })
    assert.equal(report.days, 10)
    const service = await home.store.serve()
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

  it('keeps the first of several copies in a file, in file order', async () => {
    const copies = Array.from(
      { length: 50 },
      (_, i) =>
        `${idFor('same')},2025-08-${String(1 + (i % 28)).padStart(2, '0')}T0${i % 10}:00:00Z,u${i},t,{}`,
    )
    // One copy that only the schema can judge comes first, one that DuckDB accepts comes second.
    const first = `${idFor('same')},2025-07-04,first,t,{}`
    const report = await importText([HEADER, first, ...copies].join('\n'))
    assert.deepEqual(counts(report), { rows: 51, imported: 1, duplicates: 50, rejected: 0 })
    const service = await home.store.serve()
    const { json } = await get<{ data: { dau: number }[] }>(
      `${service.url}/stats/dau?from=2025-07-04&to=2025-07-04&segment=user_id:first`,
    )
    assert.equal(json.data[0]!.dau, 1)
  })

  it('finds copies of hot rows, of sealed rows and of rows with another time', async () => {
    const service = await home.store.serve()
    const events = sampleEvents(3, 900)
    await post(`${service.url}/events`, events.slice(0, 300))
    assert.equal((await home.store.cli(['compact'])).code, 0)
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
    const service = await home.store.serve()
    const events = sampleEvents(11, 4_000)
    writeFileSync(home.csv, toCsv(events))
    for (let round = 0; round < 3; round += 1) {
      const part = events.slice(round * 1_000, (round + 1) * 1_000)
      writeFileSync(home.csv, toCsv(part))
      const importing = home.store.cli(['import', home.csv, '--json'])
      let accepted = 0
      const state = { finished: false }
      void importing.then(() => {
        state.finished = true
      })
      for (let i = 0; i < part.length || !state.finished; i += 50) {
        const batch = part.slice(i % part.length, (i % part.length) + 50)
        accepted += (await post(`${service.url}/events`, batch)).json['accepted'] as number
      }
      const report = JSON.parse((await importing).stdout) as ImportReport
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

  it('leaves nothing visible and nothing stray when it is killed, and imports all the next time', async () => {
    const events = sampleEvents(5, 20_000, '2025-08-01', 60)
    writeFileSync(home.csv, toCsv(events))
    for (const seen of ['staging', 'cold']) {
      const child = home.store.start(['import', home.csv])
      // Kills it as soon as it has made its first file there.
      const folder = join(home.store.data_dir, seen)
      while (child.exitCode === null && (!existsSync(folder) || readdirSync(folder).length === 0)) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      child.kill('SIGKILL')
      await new Promise((resolve) => {
        child.once('close', resolve)
      })
      const tiers = JSON.parse((await home.store.cli(['tiers', '--json'])).stdout) as {
        cold: { events: number }
      }
      assert.equal(tiers.cold.events, 0, `killed after the first file in ${seen}`)
    }
    const run = await home.store.cli(['import', home.csv, '--json'])
    const report = JSON.parse(run.stdout) as ImportReport
    assert.equal(report.imported, 20_000)
    assert.deepEqual(readdirSync(join(home.store.data_dir, 'staging')), [])
    const files = readdirSync(join(home.store.data_dir, 'cold'), { recursive: true }).filter((f) =>
      String(f).endsWith('.parquet'),
    )
    assert.equal(files.length, report.files)
  })

  it('is called import_events too', async () => {
    writeFileSync(home.csv, [HEADER, GOOD('a')].join('\n'))
    const run = await home.store.script('src/cli/import-events.ts', [home.csv, '--json'])
    assert.equal((JSON.parse(run.stdout) as ImportReport).imported, 1)
  })
})
