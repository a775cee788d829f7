import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { compiledCli } from '../support/build.ts'
import { howMany } from '../support/counts.ts'
import { createCommand } from './model/command.ts'
import type { CommandKind, IsWanted } from './model/command.ts'
import { compareFiles, compareRange, compareRows } from './model/compare.ts'
import { DAMAGE } from './model/damage.ts'
import { KILLS } from './model/kills.ts'
import { createModel, DATES } from './model/model.ts'
import type { Model } from './model/model.ts'
import { AFTER_ALL, ORDERLY } from './model/orderly.ts'
import { createSubject, createTally } from './model/subject.ts'
import type { Subject } from './model/subject.ts'

/**
 * Random commands against the real store, and after each the same questions to a plain Map of events.
 * More of them: FROSTLINE_MODEL_COMMANDS=20000 node tests/run.js model. A failure prints the seed, the path and the shortened list with
 * its replay path; one run of them again: FROSTLINE_MODEL_SEED=17 FROSTLINE_MODEL_PATH=3:0:1 FROSTLINE_MODEL_REPLAY=AAB:F.
 */
const COMMANDS = howMany('model_commands')
const SEED = Number(process.env['FROSTLINE_MODEL_SEED'] ?? randomInt(1_000_000))
const PATH = process.env['FROSTLINE_MODEL_PATH']
const REPLAY = process.env['FROSTLINE_MODEL_REPLAY']

/** In one store, which is new for each list. Lists are half as long on average. */
const LIST_COMMANDS_MAX = 400
/** A list runs for seconds, so that a shorter one that also fails is not looked for without end. */
const SHRINK_MS_MAX = 60_000
/** A limit for a service that never gets ready, per list; nothing is measured by it. */
const LIST_MS_MAX = 300_000
const COMMANDS_OF_LEAST = 2_000
/** In 2,000 commands; lists go on until each has come so often. A shorter run wants less of each. */
const LEAST: Readonly<Record<string, number>> = {
  kill: 20,
  'kill service': 4,
  'kill compaction': 5,
  'kill import': 5,
  'damage and verify': 10,
  restart: 3,
}
const LEAST_OF_OTHERS = 20
/** Four times the lists that are needed on average, and some for the least numbers; they are not all made use of. */
const LISTS_MAX = 40 + Math.ceil((4 * COMMANDS) / LIST_COMMANDS_MAX)

const KINDS: readonly CommandKind[] = [...ORDERLY, ...KILLS, DAMAGE]
/** Chance plays a part in a short run, so that half of what its length promises is enough. */
const SHARE_WANTED = COMMANDS < COMMANDS_OF_LEAST ? COMMANDS / COMMANDS_OF_LEAST / 2 : 1
const leastOf = (name: string) => Math.ceil((LEAST[name] ?? LEAST_OF_OTHERS) * SHARE_WANTED)
const NAMES = [...KINDS.map(({ name }) => name), 'kill', 'compaction with a merge']

/** They give a new store something to kill and to damage. */
const PREPARING = ['ingest', 'compact']

/** In a short run the rare kinds come more often: each at least so often on average. */
const EXPECTED_LEAST = 1.5
const WEIGHTS = KINDS.reduce((sum, { weight }) => sum + weight, 0)
const weightOf = ({ weight }: CommandKind) =>
  Math.max(weight, Math.ceil((EXPECTED_LEAST * WEIGHTS) / COMMANDS))

/** Drawn from the whole range, and not to be made smaller: another seed is another command, not a simpler one. */
const commandSeed = fc.noBias(fc.noShrink(fc.nat({ max: 999_999_999 })))
const anyList = (isWanted: IsWanted) => {
  const anyCommand = fc.oneof(
    ...KINDS.map((kind) => ({
      weight: weightOf(kind),
      arbitrary: commandSeed.map((seed) => createCommand(kind, seed, isWanted)),
    })),
  )
  return fc.commands([anyCommand], {
    maxCommands: LIST_COMMANDS_MAX,
    size: 'max',
    ...(REPLAY === undefined ? {} : { replayPath: REPLAY }),
  })
}

describe(`random commands (FROSTLINE_MODEL_SEED=${SEED})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'frostline-'))
  const tally = createTally()
  const subjects = new Set<Subject>()
  let program: string
  before(async () => {
    program = await compiledCli(folder)
  })
  after(async () => {
    for (const subject of subjects) await subject.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  let failed_at: number | undefined
  const commandsRun = () => KINDS.reduce((sum, { name }) => sum + tally.of(name), 0)
  const missing = () => NAMES.filter((name) => tally.of(name) < leastOf(name))
  const isEnough = () => commandsRun() >= COMMANDS && missing().length === 0
  const isFree = () => failed_at !== undefined || PATH !== undefined || commandsRun() < COMMANDS
  /** Once there were commands enough, those of which there were too few, and what they need to find. */
  const lists = anyList(({ name }, model) => {
    if (isFree() || missing().some((rare) => name.startsWith(rare))) return true
    return PREPARING.includes(name) && model.files.size === 0
  })

  /** A list that is not to be made shorter ends where there were commands enough. */
  function* untilEnough<T>(commands: Iterable<T>): Generator<T> {
    for (const command of commands) {
      if (failed_at === undefined && PATH === undefined && isEnough()) return
      yield command
    }
  }

  async function runList(commands: Iterable<ReturnType<typeof createCommand>>): Promise<void> {
    const subject = createSubject(program, tally)
    subjects.add(subject)
    try {
      const model = createModel()
      await subject.service.start()
      await fc.asyncModelRun(() => ({ model, real: subject }), untilEnough(commands))
      await compareAtLast(model, subject)
    } finally {
      await subject.remove()
      subjects.delete(subject)
    }
  }

  it(`leave the store with what a plain Map holds, ${COMMANDS} of them`, async (t) => {
    failed_at = undefined
    const property = fc.asyncProperty(lists, async (commands) => {
      if (failed_at === undefined ? isEnough() : performance.now() - failed_at > SHRINK_MS_MAX) return
      try {
        await runList(commands)
      } catch (error) {
        failed_at ??= performance.now()
        throw error
      }
    })
    await fc.assert(property, {
      seed: SEED,
      numRuns: LISTS_MAX,
      unbiased: true,
      includeErrorInReport: true,
      timeout: LIST_MS_MAX,
      ...(PATH === undefined ? {} : { path: PATH, endOnFailure: true, numRuns: 1 }),
    })
    for (const [what, count] of [...tally.counts].toSorted()) t.diagnostic(`${count} × ${what}`)
    t.diagnostic(`${commandsRun()} commands, seed ${SEED}`)
    if (PATH !== undefined) return
    assert.ok(commandsRun() >= COMMANDS)
    assert.deepEqual(missing(), [])
  })
})

/** Every day by itself, every row, and after a last compaction nothing that lies about. */
async function compareAtLast(model: Model, subject: Subject): Promise<void> {
  await compareRows(model, subject)
  await subject.home.compact()
  model.compact(AFTER_ALL)
  for (const date of DATES) await compareRange(model, subject, { from: date, to: date })
  await compareRows(model, subject)
  compareFiles(subject)
}
