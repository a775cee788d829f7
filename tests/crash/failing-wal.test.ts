import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openLayout } from '../../src/store/layout.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { ROOT } from '../support/root.ts'
import { sampleEvents } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { visibleIds } from '../support/visible.ts'
import { logOf } from '../support/log-lines.ts'

/** EIO in the middle of a commit, from below SQLite: tests/failing-wal.c stands between it and libc. */

/** Of the two ways to fail, after how many the log is recovered once more, with new frames over the failed ones. */
const RECOVERIES = howMany('recoveries_after_a_failed_commit')

/** Many pages, so that a commit has a middle. */
const BATCH_EVENTS = 500

const skip = process.platform !== 'linux' && 'the failing disk is made for Linux'

describe('a disk that fails under a commit', { skip, timeout: HANGS_AFTER_MS }, () => {
  const home: TestStore = createTestStore()
  const flag = join(home.dir, 'failing')
  let env: Record<string, string>
  /** Each test goes on with the service and the rows that the one before has left. */
  let service: ServiceProcess
  const stored: SampleEvent[] = []
  let seeds = 0
  const newEvents = (): SampleEvent[] => sampleEvents((seeds += 1), BATCH_EVENTS, '2025-08-01', 2)

  let folder: string
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'frostline-'))
    const source = join(ROOT, 'tests/crash/failing-wal.c')
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', join(folder, 'failing-wal.so'), source, '-ldl'])
    env = { LD_PRELOAD: join(folder, 'failing-wal.so'), FAILING_WAL: flag }
    service = await home.serve(env)
    const first = newEvents()
    await assertTaken(first, BATCH_EVENTS)
    stored.push(...first)
  })
  after(async () => {
    await home.remove()
    rmSync(folder, { recursive: true })
  })

  const begin = (how: 'write' | 'sync') => writeFileSync(flag, how)
  const mend = () => rmSync(flag)

  async function assertTaken(events: readonly SampleEvent[], accepted: number): Promise<void> {
    const { status, json } = await post(`${service.url}/events`, events)
    assert.deepEqual(
      [status, json['accepted'], json['duplicates']],
      [200, accepted, events.length - accepted],
    )
  }

  async function assertRefused(events: readonly SampleEvent[]): Promise<void> {
    const { status, json, headers } = await post(`${service.url}/events`, events)
    assert.deepEqual([status, json['type']], [503, '/problems/store_unavailable'])
    assert.ok(Number(headers.get('retry-after')) > 0)
  }

  async function count(): Promise<number> {
    const { status, json } = await get<{ data: { count: number }[] }>(
      `${service.url}/stats/top-events?from=2025-08-01&to=2025-08-31`,
    )
    assert.equal(status, 200, JSON.stringify(json))
    return json.data.reduce((n, { count: events }) => n + events, 0)
  }

  async function assertVisible(): Promise<void> {
    assert.deepEqual(
      await visibleIds(openLayout(home.data_dir)),
      stored.map(({ event_id }) => event_id).toSorted(),
    )
  }

  for (const [n, how] of (['sync', 'write'] as const).entries()) {
    it(`(${how}) acknowledges nothing, stores no part, and takes events again when it works`, async () => {
      const [during, later] = [newEvents(), newEvents()]
      begin(how)
      await assertRefused(during)
      await assertRefused(during)
      assert.equal(await count(), stored.length)
      assert.match(JSON.stringify(logOf(service)), /disk I\/O error/)
      mend()
      // Other events first: they come to stand in the log where the failed ones were.
      await assertTaken(later.slice(0, 100), 100)
      stored.push(...later.slice(0, 100))
      assert.equal(await count(), stored.length)
      if (n < RECOVERIES) {
        await service.kill()
        await assertVisible()
        service = await home.serve(env)
      }
      await assertTaken(during, BATCH_EVENTS)
      await assertTaken([...stored, ...later, ...during], BATCH_EVENTS - 100)
      stored.push(...during, ...later.slice(100))
      assert.equal(await count(), stored.length)
      await assertVisible()
    })

    it(`(${how}) and a kill -9 leave all of a failed batch or nothing, and it counts once when it is sent again`, async (t) => {
      const during = newEvents()
      begin(how)
      await assertRefused(during)
      await service.kill()
      mend()
      const left = (await visibleIds(openLayout(home.data_dir))).length - stored.length
      t.diagnostic(`${how}: ${left} of the failed events are there after the kill`)
      assert.ok([0, BATCH_EVENTS].includes(left), `${left} rows`)
      service = await home.serve(env)
      await assertTaken(during, BATCH_EVENTS - left)
      await assertTaken([...stored, ...during], 0)
      stored.push(...during)
      assert.equal(await count(), stored.length)
      await assertVisible()
    })
  }

  it('(sync) and fails the commit of a compaction: its file is not deleted while a crash could still bring the commit back', async () => {
    begin('sync')
    const failed = await home.cli(['compact'], env)
    assert.equal(failed.code, 1)
    assert.match(failed.stderr, /disk I\/O error/)
    mend()
    const swept = await home.cli(['compact'], { FROSTLINE_FAILPOINT: 'sweep.orphans' })
    assert.equal(swept.code, null, swept.stderr)
    await service.kill()
    await assertVisible()
    assert.equal((await home.cli(['compact'])).code, 0)
    await assertVisible()
  })
})
