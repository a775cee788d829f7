import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  rmdirSync,
  statfsSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { realDisk } from '../src/cold/files.ts'
import type { ColdDisk } from '../src/cold/files.ts'
import { openColdIds } from '../src/cold/ids.ts'
import { createEventSchema, judgeEvent } from '../src/event.ts'
import { packEvents } from '../src/hot/batch.ts'
import { watchDiskSpace } from '../src/hot/space.ts'
import { openRejects } from '../src/import/rejects.ts'
import { openWriter } from '../src/hot/writer.ts'
import { openStore } from '../src/sqlite.ts'
import { nowMicros } from '../src/time.ts'
import { appendOf, LIMITS, storedOf } from './appends.ts'
import { createInProcessStore, filesBelow } from './in-process.ts'
import type { InProcessStore } from './in-process.ts'
import { sampleEvents, toCsv } from './sample.ts'
import { createTestStore, get, post } from './store.ts'
import type { ServiceProcess, TestStore } from './store.ts'

const HANGS_AFTER_MS = 600_000
const RANGE = 'from=2025-08-01&to=2025-08-31'

async function countOf(url: string): Promise<number> {
  const { status, json } = await get<{ data: { count: number }[] }>(
    `${url}/stats/top-events?${RANGE}&limit=100`,
  )
  assert.equal(status, 200, JSON.stringify(json))
  return json.data.reduce((n, { count }) => n + count, 0)
}

/** Lets promises that are ready go on. */
const settle = () =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

function watch(read: () => Promise<number>) {
  const told: unknown[] = []
  const space = watchDiskSpace({
    path: '.',
    floor_bytes: 100,
    read,
    onChange: (full) => told.push(full),
    onTrouble: (error) => told.push(String(error)),
  })
  return { space, told }
}

describe('the watch over free space', () => {
  it('is full below its floor and not at it, and tells each change once', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let free = 100
    const { space, told } = watch(async () => free)
    const { full, stop } = await space
    assert.equal(full, false)
    for (const [bytes, expected] of [
      [99, true],
      [0, true],
      [100, false],
      [99, true],
    ] as const) {
      free = bytes
      t.mock.timers.tick(1_000)
      await settle()
      assert.equal((await space).full, expected, String(bytes))
    }
    assert.deepEqual(told, [true, false, true])
    stop()
  })

  it('never looks before a second has passed, nor while a look has not ended, nor after its stop', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    let looks = 0
    const ends: ((free: number) => void)[] = []
    const { space } = watch(() => {
      looks += 1
      return looks === 1 ? Promise.resolve(100) : new Promise((resolve) => ends.push(resolve))
    })
    const { stop } = await space
    t.mock.timers.tick(999)
    assert.equal(looks, 1)
    t.mock.timers.tick(5_000)
    assert.equal(looks, 2)
    ends.pop()!(100)
    await settle()
    t.mock.timers.tick(1_000)
    assert.equal(looks, 3)
    ends.pop()!(100)
    await settle()
    stop()
    t.mock.timers.tick(9_000)
    assert.equal(looks, 3)
  })

  it('takes events when the free space cannot be read, and says so once', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const { space, told } = watch(() => Promise.reject(new Error('no statfs')))
    t.mock.timers.tick(1_000)
    await settle()
    t.mock.timers.tick(1_000)
    await settle()
    assert.equal((await space).full, false)
    assert.deepEqual(told, ['Error: no statfs'])
    ;(await space).stop()
  })

  it('takes events again when the space of a full disk cannot be read any more, and tells of trouble that comes back', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] })
    const looks = [
      () => Promise.resolve(99),
      () => Promise.reject(new Error('no statfs')),
      () => Promise.resolve(100),
      () => Promise.reject(new Error('none again')),
    ]
    const { space, told } = watch(() => looks.shift()!())
    const { stop } = await space
    assert.equal((await space).full, true)
    for (const full of [false, false, false]) {
      t.mock.timers.tick(1_000)
      await settle()
      assert.equal((await space).full, full)
    }
    assert.deepEqual(told, [true, 'Error: no statfs', 'Error: none again'])
    stop()
  })
})

describe('too little space', { timeout: HANGS_AFTER_MS }, () => {
  let home: InProcessStore
  beforeEach(() => {
    home = createInProcessStore()
  })
  afterEach(() => home.remove())

  const full: ColdDisk = {
    ...realDisk,
    sync() {
      throw Object.assign(new Error('ENOSPC: no space left on device, fsync'), { code: 'ENOSPC' })
    },
  }

  it('is answered with disk_full while questions go on, and ends by itself', async () => {
    let free = 1024 ** 4
    await home.start({ DISK_FREE_MIN_MB: '10' }, { readFreeBytes: async () => free })
    const events = sampleEvents(1, 200)
    assert.equal((await post(`${home.url}/events`, events.slice(0, 100))).status, 200)
    free = 10 * 1024 * 1024 - 1
    let reply = await post(`${home.url}/events`, events.slice(0, 1))
    while (reply.status === 200) reply = await post(`${home.url}/events`, events.slice(0, 1))
    assert.equal(reply.status, 503)
    assert.equal(reply.json['type'], '/problems/disk_full')
    assert.equal(reply.headers.get('retry-after'), '30')
    assert.equal((await post(`${home.url}/events`, events)).status, 503)
    assert.equal(await countOf(home.url), 100)
    assert.equal((await get(`${home.url}/readyz`)).status, 200)
    free += 1
    do reply = await post(`${home.url}/events`, events)
    while (reply.status !== 200)
    assert.equal(reply.json['accepted'], 100)
    assert.equal(await countOf(home.url), 200)
  })

  it('in the middle of a commit stores nothing of it, and the same writer goes on afterwards', async () => {
    const db = openStore(home.layout.database)
    const coldIds = await openColdIds(db, home.layout, { memory_mb: 128, onRepair: assert.fail })
    try {
      const writer = openWriter(db, coldIds, LIMITS)
      const schema = createEventSchema(nowMicros)
      const batch = () =>
        packEvents(
          sampleEvents(2, 5_000).map((event) => {
            const verdict = judgeEvent(schema, event)
            assert.ok('event' in verdict)
            return verdict.event
          }),
        )
      // A limit of SQLite's own: it fails with the very error of a full disk.
      const pages = db.pragma('page_count', { simple: true }) as number
      db.pragma(`max_page_count = ${pages + 5}`)
      await assert.rejects(writer.commit([appendOf(batch())]), { code: 'SQLITE_FULL' })
      const stored = () => db.prepare('SELECT count(*) FROM events').pluck().get()
      assert.deepEqual([db.inTransaction, stored()], [false, 0])
      db.pragma('max_page_count = 1000000')
      const [result] = await writer.commit([appendOf(batch())])
      assert.deepEqual([storedOf(result!), stored()], [{ accepted: 5_000, duplicates: 0 }, 5_000])
    } finally {
      coldIds.close()
      db.close()
    }
  })

  it('stops a compaction or an import without a change, and the next run leaves nothing behind', async () => {
    await home.start()
    await post(`${home.url}/events`, sampleEvents(3, 500, '2025-08-01', 2))
    const csv = toCsv(sampleEvents(4, 300, '2025-08-05', 2))
    await assert.rejects(home.compact({ disk: full }), { code: 'ENOSPC' })
    await assert.rejects(home.importCsv(csv, full), { code: 'ENOSPC' })
    assert.deepEqual(home.listed(), [])
    assert.equal(await countOf(home.url), 500)
    assert.equal((await home.importCsv(csv)).imported, 300)
    assert.equal((await home.compact()).rows, 500)
    assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    assert.equal(await countOf(home.url), 800)
  })
})

/** A file system of its own, or null where mounting is not permitted; the tests above need none. */
function mountSmall(size_mb: number): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'frostline-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size_mb}m`, 'frostline-test', dir], {
      stdio: 'ignore',
    })
    return dir
  } catch {
    rmdirSync(dir)
    return null
  }
}

function unmount(dir: string): void {
  // Lazy: also when something that the test left behind still has a file open there.
  execFileSync('umount', ['-l', dir], { stdio: 'ignore' })
  rmdirSync(dir)
}

/** Takes all free space but some. */
function fillUp(path: string, leave_bytes: number): void {
  const chunk = Buffer.alloc(64 * 1024, 1)
  const fd = openSync(path, 'w')
  let bytes = 0
  try {
    for (let n = chunk.length; n > 0;) {
      try {
        bytes += writeSync(fd, chunk, 0, n)
      } catch (error) {
        assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
        n = n > 1 ? Math.floor(n / 2) : 0
      }
    }
  } finally {
    closeSync(fd)
  }
  truncateSync(path, Math.max(0, bytes - leave_bytes))
}

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
        const events = sampleEvents(seed + n, 2_000)
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
      for (const seed of [1_000, 2_000, 3_000]) {
        fillUp(ballast, 2 * 1024 * 1024)
        const refused = await postUntilRefused(seed)
        fillUp(join(disk!, 'rest'), 0)
        assert.equal(statfsSync(disk!).bavail, 0)
        assert.equal((await post(`${service.url}/events`, refused)).status, 503)
        assert.equal(await countOf(service.url), stored)
        rmSync(ballast)
        rmSync(join(disk!, 'rest'))
        const { status, json } = await post(`${service.url}/events`, refused)
        assert.deepEqual([status, json['accepted']], [200, refused.length])
        stored += refused.length
        assert.equal(await countOf(service.url), stored)
      }
      fillUp(ballast, 0)
      await service.kill()
      rmSync(ballast)
      service = await store.serve(env)
      assert.equal(await countOf(service.url), stored)
    })

    /** Runs a command with ever more free space until it succeeds; each failure must have changed nothing. Returns how many there were. */
    async function runUntilItFits(args: readonly string[]): Promise<number> {
      for (let failures = 0, leave_bytes = 0; ; failures += 1) {
        fillUp(ballast, leave_bytes)
        const { code, stderr } = await store.cli(args, env)
        rmSync(ballast)
        if (code === 0) return failures
        assert.equal(code, 1, stderr)
        assert.equal(await countOf(service.url), stored)
        leave_bytes = leave_bytes * 2 + 32 * 1024
      }
    }

    it('fails an import without a change until it fits', async () => {
      writeFileSync(csv, toCsv(sampleEvents(9_000, 4_000, '2025-08-12', 6)))
      assert.ok((await runUntilItFits(['import', csv])) >= 1)
      stored += 4_000
      assert.equal(await countOf(service.url), stored)
    })

    it('fails a list of rejected rows that does not fit, and keeps no part of it', () => {
      fillUp(ballast, 64 * 1024)
      const listed = join(disk!, 'history.csv')
      const rejects = openRejects(listed, realDisk)
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
      assert.equal(await countOf(service.url), stored)
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
