import assert from 'node:assert/strict'
import { rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readLedger } from '../../compactor/ledger.ts'
import { realDisk } from '../../src/store/disk.ts'
import { scrape, untilScraped } from '../support/exposition.ts'
import type { Scrape } from '../support/exposition.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { sampleEvents } from '../support/sample.ts'
import { createTestStore, post } from '../support/store.ts'
import type { ServiceProcess } from '../support/store.ts'
import { logOf, untilLogged } from '../support/log-lines.ts'

const LAST = 'frostline_compaction_last_success_timestamp_seconds'
const ALL_CLOSED = { HOT_DAYS: '0' }
const runs = ({ value }: Scrape) =>
  ['done', 'failed'].map((outcome) => value('frostline_compaction_runs_total', { outcome }))
const rows = ({ value }: Scrape) => value('frostline_compaction_rows_total')
const time = ({ value }: Scrape) => value('frostline_compaction_seconds_total')!

describe('metrics of several processes', { timeout: HANGS_AFTER_MS }, () => {
  const store = createTestStore()
  let service: ServiceProcess
  before(async () => {
    service = await store.serve()
  })
  after(() => store.remove())

  const compact = (env: Record<string, string> = {}) => store.cli(['compact'], { ...ALL_CLOSED, ...env })

  it('tell the compactions of other processes, also of those that fail or are killed', async () => {
    const look = () => scrape(service.url)
    await post(`${service.url}/events`, sampleEvents(5, 40, '2025-08-01', 2))
    const fresh = await look()
    assert.deepEqual([runs(fresh), rows(fresh), time(fresh), fresh.value(LAST)], [[0, 0], 0, 0, undefined])

    const from_s = Date.now() / 1_000
    assert.equal((await compact()).code, 0)
    const first = await look()
    assert.deepEqual([runs(first), rows(first)], [[1, 0], 40])
    assert.ok(time(first) > 0)
    assert.ok(first.value(LAST)! >= from_s && first.value(LAST)! <= Date.now() / 1_000)
    assert.equal(first.value('frostline_cold_events'), 40)

    // Nothing to do is a success too.
    assert.equal((await compact()).code, 0)
    const second = await look()
    assert.deepEqual([runs(second), rows(second)], [[2, 0], 40])
    assert.ok(time(second) > time(first) && second.value(LAST)! > first.value(LAST)!)

    await post(`${service.url}/events`, sampleEvents(6, 30, '2025-08-01', 2))
    assert.equal((await compact({ FROSTLINE_FAILPOINT: 'compaction.copied:error' })).code, 1)
    assert.deepEqual(runs(await look()), [2, 1])
    assert.notEqual((await compact({ FROSTLINE_FAILPOINT: 'compaction.copied' })).code, 0)
    assert.deepEqual(runs(await look()), [2, 1])
    assert.equal((await look()).value(LAST), second.value(LAST))
    assert.equal((await compact()).code, 0)
    const last = await look()
    assert.deepEqual([runs(last), rows(last)], [[3, 2], 70])
  })

  it('are no noise in the log, unless they are refused', async () => {
    for (let i = 0; i < 5; i += 1) await scrape(service.url)
    assert.equal((await post(`${service.url}/metrics`, {})).status, 405)
    await untilLogged(service, ({ route, status }) => route === '/metrics' && status === 405)
    assert.equal(logOf(service).filter(({ route }) => route === '/metrics').length, 1)
  })

  it('do not keep a compaction from its work where nothing can be noted', async () => {
    const known = await scrape(service.url)
    await post(`${service.url}/events`, sampleEvents(8, 10, '2025-08-01', 1))
    // A folder where the file is to be written, as on a disk that takes no more files.
    const in_the_way = join(store.data_dir, 'compactions.json.new')
    realDisk.makeFolder(in_the_way)
    const run = await compact()
    assert.equal(run.code, 0)
    assert.match(run.stderr, /the compactions cannot be counted/)
    const scraped = await scrape(service.url)
    assert.deepEqual(runs(scraped), runs(known))
    assert.equal(scraped.value('frostline_cold_events'), known.value('frostline_cold_events')! + 10)
    rmdirSync(in_the_way)
  })

  it('leave compactions out while their ledger cannot be read, say so once, and a compaction mends it', async () => {
    const ledger = join(store.data_dir, 'compactions.json')
    for (const text of ['', '{"done":', '{"done":"Zebra"}', '[]']) {
      writeFileSync(ledger, text)
      const scraped = await scrape(service.url)
      assert.deepEqual([runs(scraped), rows(scraped)], [[undefined, undefined], undefined], text)
      assert.equal(scraped.value('frostline_ready'), 1)
    }
    const told = () => logOf(service).filter(({ msg }) => msg === 'metrics are left out')
    await untilLogged(service, ({ msg }) => msg === 'metrics are left out')
    const run = await compact()
    assert.equal(run.code, 0)
    assert.match(run.stderr, /the compactions cannot be counted/)
    assert.deepEqual(runs(await scrape(service.url)), [1, 0])
    assert.equal(readLedger(ledger).running, false)
    writeFileSync(ledger, '')
    await scrape(service.url)
    await untilLogged(service, () => told().length === 2)
    assert.deepEqual(
      told().map(({ source }) => source),
      ['compactions', 'compactions'],
    )
  })

  it('tell the compactions of a service by its clock, and forget nothing in a restart', async () => {
    assert.equal((await compact()).code, 0)
    const known = await scrape(service.url)
    assert.equal(await service.stop(), 0)
    const clocks = { COMPACT_CRON: '* * * * * *', VERIFY_INTERVAL_S: '1' }
    service = await store.serve({ ...ALL_CLOSED, ...clocks, LOG_LEVEL: 'debug' })
    await post(`${service.url}/events`, sampleEvents(7, 25, '2025-08-01', 2))
    await untilLogged(service, ({ msg, ...told }) => msg === 'compaction' && told['rows'] === 25)
    const scraped = await untilScraped(service.url, (s) => rows(s) === rows(known)! + 25)
    const [done, failed] = runs(scraped)
    assert.ok(done! > runs(known)[0]!)
    assert.equal(failed, runs(known)[1])
    const cold = 'frostline_cold_events'
    assert.equal(scraped.value(cold), known.value(cold)! + 25)
  })

  it('tell what its last check found', async () => {
    assert.equal((await scrape(service.url)).value('frostline_damage_findings'), 0)
    const folder = join(store.data_dir, 'cold/day=2025-08-02')
    const files = realDisk.list(folder).length
    rmSync(folder, { recursive: true })
    await untilLogged(service, ({ msg }) => msg === 'the store is damaged')
    await untilScraped(service.url, (s) => s.value('frostline_damage_findings') === files)
  })

  it('are in a log that tells everything', async () => {
    await untilLogged(service, ({ route, level }) => route === '/metrics' && level === 20)
    assert.equal(await service.stop(), 0)
  })
})
