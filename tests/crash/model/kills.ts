import assert from 'node:assert/strict'
import { FAILPOINTS } from '../../../src/process/failpoint.ts'
import type { Failpoint } from '../../../src/process/failpoint.ts'
import { pick, toCsv } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'
import { orNothing, post } from '../../support/store.ts'
import { readStored } from '../../support/visible.ts'
import { copyOf, someOf, times } from './command.ts'
import type { CommandKind, Step } from './command.ts'
import { compareRows } from './compare.ts'
import type { Moved } from './model.ts'
import { AFTER_ALL, bringToMerge, importRows, makeCsvRows, postBatch } from './orderly.ts'

/** Real processes that die by SIGKILL, and what the model learns of them. */

/** Posts under way when the service is killed, one after a number of them was answered. */
const POSTS = 4

/** An import comes here only if one of its rows is posted meanwhile; tests/crash/failpoints.test.ts sees to that. */
const NEEDS_A_RACE: readonly Failpoint[] = ['import.withdrawn']
const failpointsOf = (...parts: string[]) =>
  FAILPOINTS.filter((name) => parts.includes(name.split('.')[0]!) && !NEEDS_A_RACE.includes(name))

/** Everything an import writes becomes visible in one commit; this lies after it. */
const AFTER_THE_COMMIT: readonly Failpoint[] = ['import.committed']

/** Turns of this process's event loop in which the service gets somewhere with its first posts. */
const TURNS_MAX = 300

/** The service dies with some posts answered and others under way. */
async function killService(step: Step): Promise<void> {
  const { model, subject, random } = step
  const { home, service, tally } = subject
  const batches = times(POSTS, () => makeBatch(step))
  const kill_after = random() < 0.5 ? 0 : 1 + Math.floor(random() * POSTS)
  const answered = new Set<SampleEvent[]>()
  let dying: Promise<void> | undefined
  const posts = batches.map(async (batch) => {
    const reply = await orNothing(post(`${service.url}/events`, batch))
    if (reply === null) return
    assertStored(step, batch, reply)
    answered.add(batch)
    if (answered.size === kill_after) dying = service.kill()
  })
  if (kill_after === 0) {
    await turns(Math.floor(random() * TURNS_MAX))
    dying = service.kill()
  }
  await Promise.all(posts)
  await dying
  tally.add('kill')
  await service.start()

  const found = (await readStored(home.layout)).length
  const known = model.events.size
  let written = 0
  for (const batch of batches.filter((sent) => !answered.has(sent))) {
    const reply = await post(`${service.url}/events`, batch)
    // A batch is one transaction: either all that was new in it had been written, or nothing.
    if (reply.json['accepted'] === 0) {
      written += model.countNew(batch)
      model.store(batch, 'hot')
    } else assertStored(step, batch, reply)
    tally.add(reply.json['accepted'] === 0 ? 'unanswered and written' : 'unanswered and not written')
  }
  assert.equal(found - known, written, 'the rows after the kill are not those that the replay tells of')
}

function makeBatch(step: Step): SampleEvent[] {
  const fresh = times(1 + Math.floor(step.random() * 5), () => step.model.fresh(step.random))
  return [...fresh, ...someOf(step, 'cold', 2).map((event) => copyOf(step, event))]
}

function assertStored({ model }: Step, batch: SampleEvent[], reply: Awaited<ReturnType<typeof post>>): void {
  const { accepted, duplicates } = reply.json
  assert.deepEqual(
    { status: reply.status, accepted, duplicates },
    { status: 200, ...model.store(batch, 'hot') },
  )
}

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

async function killCompaction(step: Step): Promise<void> {
  const { model, subject, random } = step
  const name = pick(random, failpointsOf('sweep', 'compaction', 'merge'))
  if (name.startsWith('merge')) await bringToMerge(step)
  else await postBatch(step, [model.fresh(random)])
  const { code, stdout, stderr } = await subject.run(['compact', '--json'], name)
  if (code === null) model.learnTiers(subject.readTiers())
  else {
    assert.equal(code, 0, stderr)
    const { days, rows, files, merged_files } = JSON.parse(stdout) as Moved
    assert.deepEqual({ days, rows, files, merged_files }, model.compact(AFTER_ALL))
  }
  await look(step, code === null ? name : null)
}

async function killImport(step: Step): Promise<void> {
  const { model, subject, random } = step
  const name = pick(random, failpointsOf('sweep', 'import'))
  const rows = makeCsvRows(step)
  const path = subject.writeCsv(toCsv(rows))
  const { code, stdout, stderr } = await subject.run(['import', path, '--json'], name)
  if (code === null) {
    if (AFTER_THE_COMMIT.includes(name)) model.store(rows, 'cold')
  } else {
    assert.equal(code, 0, stderr)
    const { imported, duplicates } = JSON.parse(stdout) as { imported: number; duplicates: number }
    const stored = model.store(rows, 'cold')
    assert.deepEqual({ accepted: imported, duplicates }, stored)
  }
  await look(step, code === null ? name : null)
  if (random() < 0.5) await importRows(step, rows)
}

async function look({ model, subject }: Step, killed_at: Failpoint | null): Promise<void> {
  if (killed_at !== null) {
    subject.tally.add('kill')
    subject.tally.add(`killed at ${killed_at}`)
  }
  await compareRows(model, subject)
}

export const KILLS: readonly CommandKind[] = [
  { name: 'kill service', weight: 8, act: killService },
  { name: 'kill compaction', weight: 12, act: killCompaction },
  { name: 'kill import', weight: 12, act: killImport },
]
