import assert from 'node:assert/strict'
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { realDisk } from '../../src/store/disk.ts'
import { CSV_COLUMNS } from '../../src/event/csv-header.ts'
import { openRejects } from '../../src/import/rejects.ts'
import { howMany } from '../support/counts.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { filesBelow } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import { fillUp, mountSmall, unmount } from '../support/small-disk.ts'
import { countOf, createTestStore, post } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'

const RANGE = 'from=2025-08-01&to=2025-08-31'

// Where mounting is not permitted, disk.test.ts still has what needs no file system of its own.
const disk = mountSmall(48)

describe(
  'a disk that is filled to the last byte',
  { skip: disk === null && 'mounting is not permitted', timeout: HANGS_AFTER_MS },
  () => {
    const store: TestStore = createTestStore()
    const DATA_DIR = join(disk ?? '', 'store')
    const ballast = join(disk ?? '', 'ballast')
    const csv = join(store.dir, 'history.csv')
    const env = { DATA_DIR, DISK_FREE_MIN_MB: '0' }
    const onExit = () => unmount(disk!)
    if (disk !== null) {
      process.once('exit', onExit)
      // The runner ends a file that hangs by a signal, and that alone would skip the exit above.
      for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => process.exit(1))
    }
    after(async () => {
      await store.remove()
      process.off('exit', onExit)
      if (disk !== null) unmount(disk)
    })

    let service: ServiceProcess
    let stored = 0

    /** Posts batches until one is refused. Returns the refused one. */
    async function postUntilRefused(seed: number): Promise<ReturnType<typeof sampleEvents>> {
      for (let n = 0; ; n += 1) {
        const events = sampleEvents(seed + n, 2_000, '2025-08-01', 2)
        const { status, json, headers } = await post(`${service.url}/events`, events)
        if (status !== 200) {
          assert.deepEqual([status, json['type']], [503, '/problems/store_unavailable'])
          assert.ok(Number(headers.get('retry-after')) > 0)
          return events
        }
        stored += json['accepted'] as number
      }
    }

    it('refuses what does not fit, answers with what was acknowledged, and goes on when there is space', async () => {
      service = await store.serve(env)
      for (let round = 1; round <= howMany('fillings_of_a_disk'); round += 1) {
        fillUp(ballast, 2 * 1024 * 1024)
        const refused = await postUntilRefused(round * 1_000)
        fillUp(join(disk!, 'rest'), 0)
        assert.equal(statfsSync(disk!).bavail, 0)
        assert.equal((await post(`${service.url}/events`, refused)).status, 503)
        assert.equal(await countOf(service.url, RANGE), stored)
        rmSync(ballast)
        rmSync(join(disk!, 'rest'))
        const { status, json } = await post(`${service.url}/events`, refused)
        assert.deepEqual([status, json['accepted']], [200, refused.length])
        stored += refused.length
        assert.equal(await countOf(service.url, RANGE), stored)
      }
      fillUp(ballast, 0)
      await service.kill()
      rmSync(ballast)
      service = await store.serve(env)
      assert.equal(await countOf(service.url, RANGE), stored)
    })

    /** Runs a command with ever more free space until it succeeds; each failure must have changed nothing. Returns how many there were. */
    async function runUntilItFits(args: readonly string[]): Promise<number> {
      for (let failures = 0, leave_bytes = 0; ; failures += 1) {
        fillUp(ballast, leave_bytes)
        const { code, stderr } = await store.cli(args, env)
        rmSync(ballast)
        if (code === 0) return failures
        assert.equal(code, 1, stderr)
        assert.equal(await countOf(service.url, RANGE), stored)
        leave_bytes = leave_bytes * 4 + 64 * 1024
      }
    }

    it('fails an import without a change until it fits', async () => {
      writeFileSync(csv, toCsv(sampleEvents(9_000, 4_000, '2025-08-12', 2)))
      assert.ok((await runUntilItFits(['import', csv])) >= 1)
      stored += 4_000
      assert.equal(await countOf(service.url, RANGE), stored)
    })

    it('fails a list of rejected rows that does not fit, and keeps no part of it', () => {
      fillUp(ballast, 64 * 1024)
      const listed = join(disk!, 'history.csv')
      const rejects = openRejects(CSV_COLUMNS, listed, 0o600, realDisk)
      assert.throws(
        () => {
          for (let line = 1; line <= 5_000; line += 1)
            rejects.add(line, 'no time', Array(5).fill('long value'))
          rejects.finish()
        },
        { code: 'ENOSPC' },
      )
      rejects.discard()
      rmSync(ballast)
      assert.deepEqual(
        readdirSync(disk!).filter((name) => name.startsWith('history.csv')),
        [],
      )
    })

    it('fails a compaction without a lost row until it fits, and leaves a store that is sound', async () => {
      assert.ok((await runUntilItFits(['compact'])) >= 1)
      assert.equal(await countOf(service.url, RANGE), stored)
      const { code, stdout } = await store.cli(['compact', '--json'], env)
      assert.equal(code, 0)
      assert.equal((JSON.parse(stdout) as { rows: number }).rows, 0)
      const verified = await store.cli(['verify', '--deep', '--json'], env)
      assert.equal(verified.code, 0, verified.stdout)
      const { events, notes } = JSON.parse(verified.stdout) as { events: number; notes: unknown[] }
      assert.deepEqual([events, notes], [stored, []])
      assert.deepEqual(filesBelow(join(DATA_DIR, 'spill')), [])
      assert.equal(await service.stop(), 0)
    })
  },
)
