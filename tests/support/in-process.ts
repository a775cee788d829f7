import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before } from 'node:test'
import { pino } from 'pino'
import { runCompaction } from '../../compactor/run.ts'
import type { CompactionReport } from '../../compactor/run.ts'
import { realDisk } from '../../src/store/disk.ts'
import type { ColdDisk } from '../../src/store/disk.ts'
import { BUSY, tryColdLock } from '../../src/store/lock.ts'
import { readConfig } from '../../src/config.ts'
import { importFile } from '../../src/import/import.ts'
import type { ImportOptions, ImportReport } from '../../src/import/job.ts'
import type { Progress } from '../../src/import/progress.ts'
import { openLayout } from '../../src/store/layout.ts'
import type { Layout } from '../../src/store/layout.ts'
import { createLogger } from '../../src/process/log.ts'
import { serve } from '../../src/main.ts'
import type { Service } from '../../src/main.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { nowMicros } from '../../src/event/time.ts'
import type { Micros } from '../../src/event/time.ts'
import { untilReady } from './store.ts'
import { createLines } from './log-lines.ts'
import type { Logging } from './log-lines.ts'

/**
 * The real service, with its threads and its port, in the test's own process. It starts in a third of the time that a process takes,
 * and the test owns the compactor's clock.
 */
export interface InProcessStore extends Logging {
  layout: Layout
  data_dir: string
  /** Where the service answers; another address after each start. */
  readonly url: string
  start(env?: Record<string, string>, seams?: Seams): Promise<void>
  /** Starts without waiting until it is ready, for stores that never get there. */
  startUnready(env?: Record<string, string>, seams?: Seams): Promise<void>
  stop(): Promise<void>
  /** One run under the lock, with all days of the past closed unless told otherwise. */
  compact(options?: {
    now_us?: Micros
    hot_days?: number
    grace_s?: number
    disk?: ColdDisk
  }): Promise<CompactionReport>
  /** Imports CSV text under the lock. */
  importCsv(csv: string | Uint8Array, disk?: ColdDisk, options?: ImportOptions): Promise<ImportReport>
  /** Looks into SQLite, or changes it behind the service's back. */
  inSqlite<T>(act: (db: Sqlite) => T): T
  /** Paths of all files in the folder of cold files and in staging, relative to each. */
  files(): { cold: string[]; staging: string[] }
  /** Paths that the catalog lists. */
  listed(): string[]
  remove(): Promise<void>
}

type Seams = NonNullable<Parameters<typeof serve>[2]>

const LOG = createLogger('silent')
const NEVER = new AbortController().signal
const QUIET: Progress = { during: (_stage, _connection, act) => act(), step() {}, end() {} }

/** @param other a store at rest, of which it is a copy; an empty one otherwise */
export function createInProcessStore(other?: InProcessStore): InProcessStore {
  const dir = mkdtempSync(join(tmpdir(), 'frostline-'))
  const DATA_DIR = join(dir, 'store')
  if (other !== undefined) cpSync(dirname(other.layout.database), DATA_DIR, { recursive: true })
  const layout = openLayout(DATA_DIR)
  const lines = createLines()
  const log = pino({ base: { pid: process.pid } }, { write: (line) => lines.add(line) })
  let service: Service | null = null

  async function startUnready(env: Record<string, string> = {}, seams: Seams = {}): Promise<void> {
    // A test that failed before its own stop must not keep the process alive for ever.
    await stop()
    const config = readConfig({ DATA_DIR, PORT: '0', COMPACT_CRON: 'off', ...env })
    service = await serve(config, log, seams)
  }
  async function stop(): Promise<void> {
    await service?.close()
    service = null
  }

  function inSqlite<T>(act: (db: Sqlite) => T): T {
    const db = openStore(layout.database)
    try {
      return act(db)
    } finally {
      db.close()
    }
  }

  async function underLock<T>(act: (db: Sqlite) => Promise<T>): Promise<T> {
    const lock = tryColdLock(layout)
    assert.ok(lock !== BUSY, 'somebody else holds the cold lock')
    const db = openStore(layout.database)
    try {
      return await act(db)
    } finally {
      db.close()
      lock.release()
    }
  }

  const job = (db: Sqlite) => ({ db, layout, memory_mb: 512, threads: 1 })

  return {
    layout,
    data_dir: DATA_DIR,
    log: lines.log,
    logged: lines.logged,
    inSqlite,
    files: () => ({ cold: filesBelow(layout.cold), staging: filesBelow(layout.staging) }),
    listed: () =>
      inSqlite((db) => db.prepare('SELECT path FROM cold_files ORDER BY path').pluck().all() as string[]),
    get url() {
      assert.ok(service, 'the service is not running')
      return service.url
    },
    startUnready,
    async start(env, seams) {
      await startUnready(env, seams)
      await untilReady(service!.url)
    },
    stop,
    compact({ now_us = nowMicros(), hot_days = 0, grace_s = 0, disk = realDisk } = {}) {
      return underLock((db) =>
        runCompaction({ ...job(db), disk, log: LOG, now_us: () => now_us, hot_days, grace_s, signal: NEVER }),
      )
    },
    async importCsv(csv, disk = realDisk, options = { format: 'csv', strict: false, force: false }) {
      const path = join(dir, 'import.csv')
      writeFileSync(path, csv)
      const { report } = await underLock((db) =>
        importFile({ ...job(db), disk, progress: QUIET, now_us: nowMicros, grace_s: 0 }, path, options),
      )
      return report
    },
    async remove() {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** A store whose service runs for all tests of the surrounding `describe`. Parameters as for its `start`. */
export function serveStore(...start: Parameters<InProcessStore['start']>): InProcessStore {
  const home = createInProcessStore()
  before(() => home.start(...start))
  after(() => home.remove())
  return home
}

/** Relative paths of all files below a folder, sorted. */
export function filesBelow(folder: string): string[] {
  return listFiles(folder, '').toSorted()
}

/** Files and folders may go while we look: a job at work deletes what dead ones left. */
function listFiles(folder: string, prefix: string): string[] {
  try {
    return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
      const path = join(prefix, entry.name)
      return entry.isDirectory() ? listFiles(folder, path) : [path]
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
