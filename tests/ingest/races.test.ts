import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import type { Tiers } from '../../src/store/tiers.ts'
import { programOf } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { createInProcessStore, serveStore } from '../support/in-process.ts'
import type { InProcessStore } from '../support/in-process.ts'
import { sampleEvents, toCsv } from '../support/sample.ts'
import type { SampleEvent } from '../support/sample.ts'
import { createTestStore, get, post } from '../support/store.ts'
import type { ServiceProcess, TestStore } from '../support/store.ts'
import { ROOT } from '../support/root.ts'

const RANGE = 'from=2025-08-01&to=2025-08-31&limit=1000'

async function countOf(url: string, filter = ''): Promise<number> {
  const { status, json } = await get<{ data: { count: number }[] }>(
    `${url}/stats/top-events?${RANGE}${filter}`,
  )
  assert.equal(status, 200, JSON.stringify(json))
  return json.data.reduce((n, { count }) => n + count, 0)
}

/** What a batch added; its reply has to add up. */
async function accept(url: string, events: readonly SampleEvent[]): Promise<number> {
  const { status, json } = await post(`${url}/events`, events)
  assert.equal(status, 200, JSON.stringify(json))
  const accepted = json['accepted'] as number
  assert.equal(accepted + (json['duplicates'] as number), events.length)
  return accepted
}

const from = (user_id: string, events: readonly SampleEvent[]) =>
  events.map((event): SampleEvent => ({ ...event, user_id }))

const CLIENTS = howMany('clients_that_post_the_same')
const IDS = howMany('ids_posted_by_all')

describe(`${CLIENTS} clients that post the same ${IDS} ids at once`, () => {
  const home = serveStore()

  async function postAll(events: readonly SampleEvent[]): Promise<number[]> {
    // Each client begins at another event and writes its own name, so that it can be seen who was first.
    return Promise.all(
      Array.from({ length: CLIENTS }, (_, n) => {
        const begin = Math.floor((n * events.length) / CLIENTS)
        const turned = [...events.slice(begin), ...events.slice(0, begin)]
        return accept(home.url, from(`client-${n}`, turned))
      }),
    )
  }

  it('are told together that each was accepted once, and each counts with what it was told', async () => {
    const accepted = await postAll(sampleEvents(1, IDS))
    assert.equal(
      accepted.reduce((a, b) => a + b),
      IDS,
    )
    assert.equal(await countOf(home.url), IDS)
    for (const [n, count] of accepted.entries()) {
      if (count > 0) assert.equal(await countOf(home.url, `&segment=user_id:client-${n}`), count)
    }
    assert.equal((await get<Tiers>(`${home.url}/tiers`)).json.hot.events, IDS)
  })

  it('are told together that nothing was new while the ids move to cold, and afterwards', async () => {
    const events = sampleEvents(1, IDS)
    const [accepted] = await Promise.all([postAll(events), home.compact()])
    assert.deepEqual([...new Set(accepted)], [0])
    assert.deepEqual([...new Set(await postAll(events))], [0])
    const { hot, cold } = (await get<Tiers>(`${home.url}/tiers`)).json
    assert.deepEqual([hot.events, cold.events, await countOf(home.url)], [0, IDS, IDS])
  })
})

describe('an import and posts of the same ids from two processes', () => {
  const ROUNDS = howMany('import_race_rounds')
  const EVENTS = 100
  const BATCH_EVENTS = 5
  /** Each round makes a file; without merges the rounds would become slower and slower. */
  const ROUNDS_PER_COMPACTION = 5
  let home: InProcessStore
  let processes: TestStore
  let service: ServiceProcess
  before(async () => {
    home = createInProcessStore()
    processes = createTestStore()
    service = await processes.serve({ DATA_DIR: dirname(home.layout.database) })
  })
  after(async () => {
    await processes.remove()
    await home.remove()
  })

  it(`share them without a rest in each of ${ROUNDS} rounds`, async (t) => {
    let imported = 0
    let accepted = 0
    let shared = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const events = sampleEvents(round, EVENTS, '2025-08-01', 1)
      const importing = home.importCsv(toCsv(from('import', events)))
      let posted = 0
      // The import is the slower one: what is posted beside it is less or more, and the rest only when it has come to its end.
      const beside = (round * BATCH_EVENTS) % EVENTS
      for (let at = 0; at < EVENTS; at += BATCH_EVENTS) {
        if (at === beside) await importing
        posted += await accept(service.url, from('post', events.slice(at, at + BATCH_EVENTS)))
      }
      const report = await importing
      assert.equal(report.imported + report.duplicates, EVENTS)
      assert.equal(report.imported + posted, EVENTS, `round ${round}`)
      imported += report.imported
      accepted += posted
      if (report.imported > 0 && posted > 0) shared += 1
      if (round % ROUNDS_PER_COMPACTION === 0) await home.compact()
      assert.equal(await countOf(service.url), (round + 1) * EVENTS)
    }
    t.diagnostic(`imported ${imported}, posted ${accepted}, both had some in ${shared} of ${ROUNDS} rounds`)
    assert.ok(shared > 0, 'the two never met')
    assert.equal(await countOf(service.url, '&segment=user_id:import'), imported)
    assert.equal(await countOf(service.url, '&segment=user_id:post'), accepted)
  })
})

describe('two compactors that start together', () => {
  const ROUNDS = howMany('compactor_race_rounds')
  const EVENTS = 50
  let home: InProcessStore
  let compactors: Compactor[]
  before(async () => {
    home = createInProcessStore()
    await home.start()
    compactors = [0, 1].map(() => startCompactor(dirname(home.layout.database)))
  })
  after(async () => {
    for (const { child } of compactors) child.stdin!.end()
    await Promise.all(compactors.map(({ ended }) => ended))
    await home.remove()
  })

  it(`move every row once in each of ${ROUNDS} rounds, and leave no stray file`, async (t) => {
    let busy = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      assert.equal(await accept(home.url, sampleEvents(round, EVENTS, '2025-08-01', 1)), EVENTS)
      // In every second round neither waits for the other: who comes second leaves at once.
      const reports: Report[] = await Promise.all(compactors.map(({ run }) => run(round % 2 === 0 ? 60 : 0)))
      busy += reports.filter(({ rows }) => rows === undefined).length
      // Looking at the same instant, each can find the other at the lock; then nothing was moved.
      if (reports.every(({ rows }) => rows === undefined)) reports.push(await compactors[0]!.run(60))
      assert.equal(
        reports.reduce((n, { rows = 0 }) => n + rows, 0),
        EVENTS,
        `round ${round}`,
      )
      const { hot, cold } = (await get<Tiers>(`${home.url}/tiers`)).json
      const total = (round + 1) * EVENTS
      assert.deepEqual([hot.events, cold.events, await countOf(home.url)], [0, total, total])
      assert.deepEqual(home.files(), { cold: home.listed(), staging: [] })
    }
    t.diagnostic(`${busy} runs left because the other one was at work`)
  })
})

/** `rows` is missing when the run left because another one was at work. */
interface Report {
  rows?: number
}

interface Compactor {
  child: ChildProcess
  ended: Promise<unknown>
  run(wait_s: number): Promise<Report>
}

function startCompactor(data_dir: string): Compactor {
  const child = spawn(process.execPath, [...programOf('tests/support/compactor-worker.ts'), data_dir], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout! })
  return {
    child,
    ended: once(child, 'exit'),
    async run(wait_s) {
      const answer = once(lines, 'line') as Promise<[string]>
      child.stdin!.write(`${wait_s}\n`)
      return JSON.parse((await answer)[0]) as Report
    },
  }
}
