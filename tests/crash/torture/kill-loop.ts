import type { ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLayout } from '../../../src/store/layout.ts'
import { openStore } from '../../../src/store/sqlite.ts'
import { pick, seeded, toCsv } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'
import { compiledCli } from '../../support/build.ts'
import { get, orNothing, post } from '../../support/store.ts'
import { createFleet } from './fleet.ts'
import { watchMoments } from './moments.ts'
import type { Moment } from './moments.ts'
import { createOracle, outOfBounds } from './oracle.ts'
import { readStored } from '../../support/visible.ts'
import { findStrays } from './strays.ts'
import { createTraffic } from './traffic.ts'

/**
 * Clients post, compactions and imports run, and one process after another is killed. The clients' log of 200 replies and the imports
 * that came to their end are the only truth; see oracle.ts.
 */

export interface KillLoopOptions {
  kills: number
  /** Ends earlier when this much time is over. */
  minutes: number
  seed: number
  /** Batches that all clients together post at the most between two kills; as many as they can if it is not given. */
  batches_per_kill?: number
  onProgress?: (line: string) => void
}

export type Role = 'service' | 'compactor' | 'importer'

export interface Verdict {
  kills: Record<Role, number>
  /** Compactions and imports that came to their end. */
  finished: number
  questions: number
  sent: number
  acknowledged: number
  lost: number
  duplicated: number
  wrong_answers: number
  /** Everything that was not as promised, in words. */
  findings: string[]
  /** Kept only if there are findings. */
  folder: string
}

interface CsvFile {
  path: string
  events: SampleEvent[]
}

const CLIENTS = 3
const BATCH_EVENTS = 40
const CSV_EVENTS = 150
/** Two, so that one is killed at work and another while it waits for the lock, and the lock is fought for. */
const JOB_LANES = 2
/** New events allowed for each kill, so that a run of thousands of kills does not drown in its own history. */
const NEW_PER_KILL = 150
/** Kills between two looks at the answers while everything runs. */
const KILLS_PER_QUESTION = 4
/** This share of the jobs may come to its end. */
const LEFT_ALIVE = 0.12
/** Replies of a service until it is killed: some, and up to so many more; fewer where there are not so many in all. */
const REPLIES_LEAST = 20
const REPLIES_MORE_MAX = 400
/** This share of the services is killed before it is ready. */
const KILLED_STARTING = 0.2
const FINDINGS_MAX = 100
/** Events a request when everything is sent once more at the end. */
const REPLAY_EVENTS = 10_000

const JOB_MOMENTS: readonly { moment: Moment; most: number }[] = [
  { moment: 'staging', most: 5 },
  { moment: 'staging', most: 15 },
  { moment: 'line', most: 5 },
  { moment: 'commit', most: 40 },
  { moment: 'reply', most: 20 },
]

export async function runKillLoop({
  kills,
  minutes,
  seed,
  batches_per_kill = Infinity,
  onProgress,
}: KillLoopOptions): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'frostline-torture-'))
  const data_dir = join(folder, 'store')
  const layout = openLayout(data_dir)
  // Only a service or an import creates a store, and the first process may be a compaction.
  openStore(layout.database).close()
  const csv_dir = join(folder, 'csv')
  mkdirSync(csv_dir)
  const fleet = createFleet(await compiledCli(join(folder, 'build')), data_dir)
  const oracle = createOracle()
  const traffic = createTraffic(seed)
  const moments = watchMoments(layout, data_dir)
  const turns = new EventEmitter()
  const until = performance.now() + minutes * 60_000
  const verdict: Verdict = {
    kills: { service: 0, compactor: 0, importer: 0 },
    finished: 0,
    questions: 0,
    sent: 0,
    acknowledged: 0,
    lost: 0,
    duplicated: 0,
    wrong_answers: 0,
    findings: [],
    folder,
  }
  const csv_files: CsvFile[] = []
  /** Sent in a batch that ended without an answer: written or not. */
  const unanswered = new Set<string>()
  /** What replies and reports say was new. */
  let accepted = 0
  const stop = new AbortController()

  const killsSoFar = () => Object.values(verdict.kills).reduce((sum, n) => sum + n, 0)
  const isOver = () =>
    killsSoFar() >= kills || performance.now() >= until || verdict.findings.length >= FINDINGS_MAX

  function find(what: string): void {
    verdict.findings.push(what)
    fleet.log.push(`FINDING: ${what}`)
  }

  function findWrong(what: string): void {
    verdict.wrong_answers += 1
    find(what)
  }

  /** Lets a process run until its moment has come or it has ended. Returns its exit code, or null if it was killed. */
  async function killAt(role: Role, child: ChildProcess, moment: Moment, n: number): Promise<number | null> {
    const { code, killed } = await moments.killAt(child, moment, n)
    if (!killed) return code ?? -1
    verdict.kills[role] += 1
    fleet.log.push(`killed: ${role} ${child.pid} at ${moment} ${n}`)
    if (killsSoFar() % 100 === 0) onProgress?.(`${killsSoFar()} kills, ${oracle.acknowledged} acknowledged`)
    turns.emit('kill')
    return null
  }

  const replies_more = Math.min(REPLIES_MORE_MAX, (kills * batches_per_kill) / 2)

  async function runService(random: () => number): Promise<void> {
    while (!isOver()) {
      const child = fleet.serve()
      const starting = random() < KILLED_STARTING
      const n = starting ? 1 : REPLIES_LEAST + Math.floor(random() * replies_more)
      const code = await killAt('service', child, starting ? 'line' : 'reply', n)
      if (code !== null) find(`the service ended by itself with ${code}`)
    }
  }

  async function runJobs(random: () => number): Promise<void> {
    while (!isOver()) {
      const { moment, most } = pick(random, JOB_MOMENTS)
      const n = random() < LEFT_ALIVE ? Infinity : 1 + Math.floor(random() * Math.min(most, batches_per_kill))
      if (random() < 0.55) await compact(random, moment, n)
      else await importFile(random, moment, n)
    }
  }

  async function compact(random: () => number, moment: Moment, n: number): Promise<void> {
    const child = fleet.launch(['compact', '--json'], { REPLACED_FILE_GRACE_S: pick(random, ['0', '120']) })
    const code = await killAt('compactor', child, moment, n)
    if (code === 0) verdict.finished += 1
    else if (code !== null) find(`a compaction ended with ${code}`)
  }

  async function importFile(random: () => number, moment: Moment, n: number): Promise<void> {
    const { path, events } =
      csv_files.length === 0 || random() < 0.5 ? makeFile(random) : pick(random, csv_files.slice(-10))
    oracle.send(events)
    const child = fleet.launch(['import', path, '--json'])
    let stdout = ''
    child.stdout!.on('data', (data: Buffer) => {
      stdout += data.toString()
    })
    const code = await killAt('importer', child, moment, n)
    if (code === 0) {
      const report = JSON.parse(stdout) as { rows: number; imported: number; duplicates: number }
      if (report.rows !== events.length || report.imported + report.duplicates !== events.length) {
        findWrong(`an import of ${events.length} rows reports ${stdout.trim()}`)
      }
      accepted += report.imported
      oracle.acknowledge(events)
      verdict.finished += 1
      return
    }
    for (const { event_id } of events) unanswered.add(event_id)
    if (code !== null) find(`an import ended with ${code}`)
  }

  function makeFile(random: () => number): CsvFile {
    const path = join(csv_dir, `${csv_files.length}.csv`)
    const file = { path, events: traffic.batch(random, CSV_EVENTS, newAllowed()) }
    writeFileSync(path, toCsv(file.events))
    csv_files.push(file)
    return file
  }

  const newAllowed = () => oracle.sent < NEW_PER_KILL * (killsSoFar() + 10)

  let batches = 0

  async function untilPostIsDue(): Promise<void> {
    // After the last kill the service that still runs needs its replies, too.
    const isDue = () => batches < batches_per_kill * (killsSoFar() + 1) || isOver() || stop.signal.aborted
    while (!isDue()) await once(turns, 'kill')
    batches += 1
  }

  async function runClient(random: () => number): Promise<void> {
    while (!stop.signal.aborted) {
      await untilPostIsDue()
      const address = await fleet.address()
      const events = traffic.batch(random, BATCH_EVENTS, newAllowed())
      oracle.send(events)
      const reply = await orNothing(post(`${address}/events`, events))
      if (reply?.status === 200) {
        accepted += reply.json['accepted'] as number
        if ((reply.json['accepted'] as number) + (reply.json['duplicates'] as number) !== events.length) {
          findWrong(`a reply to ${events.length} events does not add up: ${JSON.stringify(reply.json)}`)
        }
        oracle.acknowledge(events)
      } else {
        for (const { event_id } of events) unanswered.add(event_id)
        if (reply !== null) find(`a batch was answered with ${reply.status}: ${JSON.stringify(reply.json)}`)
      }
      if (reply !== null) moments.replied()
    }
  }

  /** Whatever is counted lies between what was acknowledged before the questions and what was sent before the last answer. */
  async function ask(): Promise<void> {
    const address = await fleet.address()
    const today = new Date().toISOString().slice(0, 10)
    const range = `from=${traffic.first_date}&to=${today}`
    const least = oracle.certain()
    const top = await orNothing(
      get<{ data: { event_type: string; count: number }[] }>(
        `${address}/stats/top-events?${range}&limit=1000`,
      ),
    )
    const dau =
      top &&
      (await orNothing(get<{ data: { date: string; dau: number }[] }>(`${address}/stats/dau?${range}`)))
    // The service was killed meanwhile.
    if (top === null || dau === null) return
    verdict.questions += 1
    if (top.status !== 200 || dau.status !== 200) {
      findWrong(`questions were answered with ${JSON.stringify([top.json, dau.json])}`)
      return
    }
    const wrong = outOfBounds(least, oracle.possible(), top.json.data, dau.json.data)
    if (wrong.length > 0) findWrong(`an answer is wrong: ${wrong.join('; ')}`)
  }

  async function runQuestions(): Promise<void> {
    for (let next = KILLS_PER_QUESTION; !isOver(); next = killsSoFar() + KILLS_PER_QUESTION) {
      while (killsSoFar() < next && !isOver()) await once(turns, 'kill')
      await ask()
    }
  }

  async function judgeStore(): Promise<void> {
    const stored = await readStored(layout)
    const { lost, duplicated, invented, altered } = oracle.judge(stored)
    verdict.lost = lost.length
    verdict.duplicated = duplicated.length
    if (lost.length > 0) find(`lost: ${lost.join(' ')}`)
    if (duplicated.length > 0) find(`duplicated: ${duplicated.join(' ')}`)
    for (const id of invented) findWrong(`${id} is stored and was never sent`)
    for (const id of altered) findWrong(`${id} is not stored as it was first written`)
    if (stored.length < accepted || stored.length > accepted + unanswered.size) {
      findWrong(`${accepted} were accepted, ${unanswered.size} are in doubt, and ${stored.length} are stored`)
    }
    for (const stray of findStrays(layout)) find(`left over: ${stray}`)
    await replayAll(stored.length)
  }

  /** Everything once more: only what was never written is new. */
  async function replayAll(stored: number): Promise<void> {
    const address = await fleet.address()
    let fresh = 0
    for (let from = 0; from < traffic.sent.length; from += REPLAY_EVENTS) {
      const { json } = await post(`${address}/events`, traffic.sent.slice(from, from + REPLAY_EVENTS))
      fresh += json['accepted'] as number
    }
    if (fresh !== traffic.sent.length - stored) {
      findWrong(`of ${traffic.sent.length} events sent again ${fresh} were new, and ${stored} were stored`)
    }
  }

  async function finish(): Promise<void> {
    await ask()
    // The first cleans up and may merge; the second deletes what the first has replaced.
    for (let run = 0; run < 2; run += 1) {
      const child = fleet.launch(['compact', '--json'], { REPLACED_FILE_GRACE_S: '0' })
      const { code } = await moments.killAt(child, 'line', Infinity)
      if (code !== 0) find(`the last compaction ended with ${code}`)
    }
    await ask()
    await judgeStore()
  }

  try {
    const random = (lane: number) => seeded(seed * 1_000 + lane)
    const clients = Array.from({ length: CLIENTS }, (_, lane) => runClient(random(100 + lane)))
    const jobs = Array.from({ length: JOB_LANES }, (_, lane) => runJobs(random(200 + lane)))
    const questions = runQuestions()
    await Promise.all([runService(random(300)), ...jobs])
    stop.abort()
    // Clients and questions may be waiting for a service, and the questions for a kill; neither would come any more.
    fleet.serve()
    turns.emit('kill')
    await Promise.all([questions, ...clients])
    await finish()
  } finally {
    moments.close()
    await fleet.end()
  }
  if (verdict.findings.length > 0) {
    writeFileSync(join(folder, 'findings.txt'), `${verdict.findings.join('\n')}\n`)
    writeFileSync(join(folder, 'log.txt'), `${fleet.log.join('\n')}\n`)
  } else rmSync(folder, { recursive: true, force: true })
  return { ...verdict, sent: oracle.sent, acknowledged: oracle.acknowledged }
}

/** The verdict in one line. */
export function describeVerdict(verdict: Verdict, seed: number): string {
  const { service, compactor, importer } = verdict.kills
  return (
    `kills ${service + compactor + importer} (service ${service}, compactor ${compactor}, importer ${importer}), ` +
    `acknowledged ${verdict.acknowledged}, lost ${verdict.lost}, duplicated ${verdict.duplicated}, ` +
    `wrong answers ${verdict.wrong_answers}, questions ${verdict.questions}, jobs finished ${verdict.finished}, seed ${seed}`
  )
}
