import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readCatalog } from '../../../src/store/catalog.ts'
import { formatEventId } from '../../../src/event/id.ts'
import { formatDay } from '../../../src/event/time.ts'
import { createInProcessStore } from '../../support/in-process.ts'
import type { InProcessStore } from '../../support/in-process.ts'
import { finish } from '../../support/store.ts'
import type { Run } from '../../support/store.ts'
import { createFleet } from '../torture/fleet.ts'
import type { Fleet } from '../torture/fleet.ts'
import { VISIBLE_HOT } from '../../support/visible.ts'
import type { Tiers } from './model.ts'

/** The store under test: the service as a process of its own, jobs in this process, and as processes where they are to be killed. */
export interface Subject {
  /** The folder, and jobs in this process; its own service is never started. */
  home: InProcessStore
  service: ServiceUnderTest
  /** How often what was done, over all runs. */
  tally: Tally
  /** Runs a command of the real program to its end; `code` is null if it was killed. */
  run(args: readonly string[], failpoint?: string): Promise<Run>
  writeCsv(csv: string): string
  readTiers(): Tiers
  remove(): Promise<void>
}

export interface ServiceUnderTest {
  /** Where it answers; another address after each start. */
  readonly url: string
  start(): Promise<void>
  /** Ends it in good order. */
  stop(): Promise<void>
  /** SIGKILL; resolves once it is dead. */
  kill(): Promise<void>
}

export interface Tally {
  readonly counts: ReadonlyMap<string, number>
  add(what: string): void
  of(what: string): number
}

export function createTally(): Tally {
  const counts = new Map<string, number>()
  const of = (what: string) => counts.get(what) ?? 0
  return { counts, of, add: (what) => counts.set(what, of(what) + 1) }
}

export function createSubject(program: string, tally: Tally): Subject {
  const home = createInProcessStore()
  const data_dir = dirname(home.layout.database)
  const fleet = createFleet(program, data_dir)
  return {
    home,
    service: createService(fleet),
    tally,
    run: (args, failpoint = '') =>
      finish(fleet.launch(args, { FROSTLINE_FAILPOINT: failpoint, REPLACED_FILE_GRACE_S: '0' })),
    writeCsv(csv) {
      const path = join(dirname(data_dir), 'model.csv')
      writeFileSync(path, csv)
      return path
    },
    readTiers: () =>
      home.inSqlite((db) => {
        const hot = db.prepare(`SELECT event_id FROM ${VISIBLE_HOT}`).pluck().all() as Buffer[]
        const files = new Map<string, number>()
        for (const { day } of readCatalog(db).files) {
          files.set(formatDay(day), (files.get(formatDay(day)) ?? 0) + 1)
        }
        return { hot: new Set(hot.map((id) => formatEventId(id))), files }
      }),
    async remove() {
      await fleet.end()
      await home.remove()
    },
  }
}

function createService(fleet: Fleet): ServiceUnderTest {
  let running: { url: string; end(signal: NodeJS.Signals): Promise<number | null> } | null = null

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const ending = running!
    running = null
    return await ending.end(signal)
  }

  return {
    get url() {
      assert.ok(running, 'the service is not running')
      return running.url
    },
    async start() {
      const child = fleet.serve()
      const exited = once(child, 'exit') as Promise<[number | null]>
      const url = await Promise.race([
        fleet.address(),
        exited.then(([code]) => assert.fail(`the service ended by itself with ${code}`)),
      ])
      running = {
        url,
        async end(signal) {
          child.kill(signal)
          return (await exited)[0]
        },
      }
    },
    async stop() {
      assert.equal(await end('SIGTERM'), 0)
    },
    async kill() {
      await end('SIGKILL')
    },
  }
}
