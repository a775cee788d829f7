import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { GROUP_DAYS_MAX } from '../../src/cold/parquet.ts'
import { openLayout } from '../../src/store/layout.ts'
import type { Layout } from '../../src/store/layout.ts'
import { openStore } from '../../src/store/sqlite.ts'
import type { Sqlite } from '../../src/store/sqlite.ts'
import { HANGS_AFTER_MS } from '../support/hangs.ts'
import { numberHotUsers } from '../support/numbering.ts'
import { filesBelow } from '../support/in-process.ts'
import { addDays } from '../support/reference.ts'
import { insertEvent, sampleEvents } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { createTestStore, get } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { visibleIds } from '../support/visible.ts'
import { begin } from '../support/wire.ts'
import { logOf, untilLogged } from '../support/log-lines.ts'

/**
 * SIGTERM while the service's own compaction stands between a placed file and its commit, and posts wait for theirs. Whoever holds the
 * write lock keeps both there, so no moment has to be guessed.
 */

const FIRST_DAY = '2025-08-01'
const CLIENTS = 4
/** The first days, so that the next compaction has few files to make. */
const DAYS_POSTED = 2
/** Whose child a process is, and whether it runs, is read there. */
const NO_PROC = !existsSync('/proc/self/stat') && 'there is no /proc'
const COMPACTS_AT_ONCE = { COMPACT_CRON: '* * * * * *', HOT_DAYS: '0' }

const idsOf = (events: readonly SampleEvent[]) => new Set(events.map(({ event_id }) => event_id))

interface Posts {
  sent: SampleEvent[]
  acknowledged: SampleEvent[]
  /** Resolves when every client has been refused or left without an answer. */
  over: Promise<unknown>
}

/** Clients that post until nobody answers. Resolves when each has a post under way. */
async function postAllTheTime(service: ServiceProcess): Promise<Posts> {
  const sent: SampleEvent[] = []
  const acknowledged: SampleEvent[] = []
  const begun: Promise<void>[] = []
  async function client(name: number): Promise<void> {
    for (let n = 0; ; n += 1) {
      const events = sampleEvents(100 + name * 100_000 + n, 5, FIRST_DAY, DAYS_POSTED)
      sent.push(...events)
      const { request, reply } = begin(`${service.url}/events`, 'POST', {
        'content-type': 'application/json',
      })
      const written = new Promise<void>((resolve) => {
        request.end(JSON.stringify(events), resolve)
      })
      if (n === 0) begun.push(written)
      const answer = await reply.catch(() => null)
      if (answer === null) return
      assert.equal(answer.status, 200, answer.text)
      acknowledged.push(...events)
    }
  }
  const over = Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)))
  await Promise.all(begun)
  return { sent, acknowledged, over }
}

describe('SIGTERM during a compaction', { timeout: HANGS_AFTER_MS }, () => {
  let home: TestStore
  let layout: Layout
  /** Our own connection: holds the write lock, and looks. */
  let db: Sqlite
  let stored: SampleEvent[]
  beforeEach(() => {
    home = createTestStore()
    layout = openLayout(home.data_dir)
    db = openStore(layout.database)
  })
  afterEach(async () => {
    db.close()
    await home.remove()
  })

  /** One event on each of so many days. A run ends behind a group of days. */
  function store(days: number): void {
    stored = Array.from({ length: days }, (_, day) => sampleEvents(day, 1, addDays(FIRST_DAY, day), 1)).flat()
    for (const event of stored) insertEvent(db, event)
    numberHotUsers(db)
  }

  const listed = () => db.prepare('SELECT path FROM cold_files ORDER BY path').pluck().all() as string[]

  /** Starts the service and its compaction; both wait for our lock when this returns. */
  async function serveUntilPlaced(env: Record<string, string> = {}): Promise<ServiceProcess> {
    db.exec('BEGIN IMMEDIATE')
    const service = await home.serve({ ...COMPACTS_AT_ONCE, ...env })
    while (filesBelow(layout.cold).length === 0) await setImmediate()
    return service
  }

  /** Everything that was stored or acknowledged is visible, each once, and nothing that nobody sent. */
  async function assertHolds({ sent, acknowledged }: Omit<Posts, 'over'>): Promise<void> {
    const ids = await visibleIds(layout)
    assert.equal(new Set(ids).size, ids.length)
    const possible = idsOf([...stored, ...sent])
    assert.deepEqual(
      ids.filter((id) => !possible.has(id)),
      [],
    )
    const visible = new Set(ids)
    assert.deepEqual(
      [...idsOf([...stored, ...acknowledged])].filter((id) => !visible.has(id)),
      [],
    )
  }

  /** The next run leaves nothing to do and nothing lying about. */
  async function assertGoesOn(posts: Omit<Posts, 'over'>): Promise<void> {
    const { code, stderr } = await home.cli(['compact'], { HOT_DAYS: '0', REPLACED_FILE_GRACE_S: '0' })
    assert.equal(code, 0, stderr)
    await assertHolds(posts)
    assert.deepEqual(filesBelow(layout.cold), listed())
    assert.deepEqual(filesBelow(layout.staging), [])
    assert.equal(db.prepare('SELECT count(*) FROM events').pluck().get(), 0)
    const verified = await home.cli(['verify', '--deep', '--json'])
    assert.equal(verified.code, 0, verified.stdout)
    assert.deepEqual((JSON.parse(verified.stdout) as { notes: unknown[] }).notes, [])
  }

  it('and during posts keeps what was acknowledged, ends the run after its group of days, and leaves one database file', async () => {
    store(GROUP_DAYS_MAX + 1)
    const service = await serveUntilPlaced()
    const posts = await postAllTheTime(service)
    // The bodies are read in later turns of the service than the heads, and then the writer has them.
    for (let turn = 0; turn < 10; turn += 1) await get(`${service.url}/livez`)
    const exit = service.stop()
    await untilLogged(service, ({ msg }) => msg === 'stopping')
    assert.deepEqual([posts.acknowledged, listed()], [[], []])
    db.exec('COMMIT')
    // Nobody else has it open.
    db.close()
    assert.equal(await exit, 0)
    await posts.over
    const log = logOf(service)
    assert.equal(log.at(-1)!['msg'], 'stopped')
    assert.deepEqual(
      log.filter(({ level, msg }) => Number(level) > 30 && !String(msg).startsWith('no keys')),
      [],
    )
    assert.deepEqual(
      readdirSync(home.data_dir).filter((name) => name.startsWith('frostline.db')),
      ['frostline.db'],
    )
    db = openStore(layout.database)
    // What had begun was answered, and the run that had begun was asked to stop before its last day.
    assert.ok(posts.acknowledged.length >= CLIENTS * 5, `${posts.acknowledged.length} acknowledged`)
    assert.equal(listed().length, GROUP_DAYS_MAX)
    await assertHolds(posts)
    await assertGoesOn(posts)
  })

  it(
    'that does not end is over at the limit: the run is killed, and nothing is lost',
    { skip: NO_PROC },
    async (t) => {
      store(2)
      const service = await serveUntilPlaced({ SHUTDOWN_TIMEOUT_MS: '1000' })
      const compaction = childOf(service.pid, 'compact')
      process.kill(compaction, 'SIGSTOP')
      t.after(() => isRunning(compaction) && process.kill(compaction, 'SIGKILL'))
      db.exec('COMMIT')
      const posts = await postAllTheTime(service)
      while (posts.acknowledged.length === 0) await setImmediate()
      assert.equal(await service.stop(), 0)
      await posts.over
      assert.ok(logOf(service).some(({ level, limit_ms }) => level === 40 && limit_ms === 1_000))
      // A stopped run that stayed behind would keep the cold lock for ever.
      while (isRunning(compaction)) await setImmediate(undefined, { signal: t.signal })
      assert.deepEqual(listed(), [])
      await assertHolds(posts)
      const again = await home.serve()
      assert.equal(await again.stop(), 0)
      await assertGoesOn(posts)
    },
  )
})

/** The state letter and the parent of a process; null when it is gone. */
function statOf(pid: number | string): { state: string; parent: number } | null {
  try {
    // The name before it stands in brackets and may hold anything.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return { state: state!, parent: Number(parent) }
  } catch {
    return null
  }
}

/** The child of a process whose command line has this word. */
function childOf(parent: number, word: string): number {
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && statOf(name)?.parent === parent)
    .find((pid) =>
      readFileSync(join('/proc', pid, 'cmdline'), 'utf8')
        .split('\0')
        .includes(word),
    )
  assert.ok(found !== undefined, `process ${parent} has no child ${word}`)
  return Number(found)
}

/** A process that is dead and that nobody has waited for runs no more. */
function isRunning(pid: number): boolean {
  const stat = statOf(pid)
  return stat !== null && stat.state !== 'Z' && stat.state !== 'X'
}
