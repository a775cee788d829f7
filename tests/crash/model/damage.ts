import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readCatalog } from '../../../src/store/catalog.ts'
import { realDisk } from '../../../src/store/disk.ts'
import { formatDay } from '../../../src/event/time.ts'
import { verifyStore } from '../../../src/verify/verify.ts'
import type { Verification } from '../../../src/verify/finding.ts'
import { addDays } from '../../support/reference.ts'
import { pick } from '../../support/sample.ts'
import { get } from '../../support/store.ts'
import type { CommandKind, Step } from './command.ts'
import { compareRange } from './compare.ts'
import { DATES } from './model.ts'
import type { Subject } from './subject.ts'

/** A cold file is altered, cut or removed. It is found, its day is refused, the other days answer, and with the file back all is well. */

/** The rest of the checks run in this process, in a tenth of the time. */
const BY_COMMAND = 0.1

async function damageAndRestore(step: Step): Promise<void> {
  const { model, subject, random } = step
  const { path, date } = pickFile(step)
  const file = join(subject.home.layout.cold, path)
  const bytes = readFileSync(file)
  const what = damage(file, bytes, random)
  try {
    const found = await verifyDeep(subject, random() < BY_COMMAND)
    assert.deepEqual(
      found.damage.map((finding) => [finding.path, finding.day]),
      [[path, date]],
      `${what}, and verify tells of something else`,
    )
    await assertRefused(step, path, date)
    for (const other of [addDays(date, -1), addDays(date, 1)])
      await compareRange(model, subject, { from: other, to: other })
  } finally {
    writeFileSync(file, bytes)
  }
  subject.tally.add(`file ${what}`)
  assert.deepEqual((await verifyDeep(subject, false)).damage, [])
  await compareRange(model, subject, { from: date, to: date })
}

/** The file's name is random, so that it is chosen by what is in it. */
function pickFile({ model, subject, random }: Step): { path: string; date: string } {
  const date = pick(random, [...model.files.keys()])
  const { files } = subject.home.inSqlite(readCatalog)
  const of_day = files.filter(({ day }) => formatDay(day) === date)
  return {
    path: pick(
      random,
      of_day.toSorted((a, b) => a.min_ts - b.min_ts),
    ).path,
    date,
  }
}

function damage(file: string, bytes: Buffer, random: () => number): string {
  const at = Math.floor(random() * bytes.length)
  const how = pick(random, ['altered', 'cut', 'removed'] as const)
  if (how === 'removed') rmSync(file)
  else if (how === 'cut') writeFileSync(file, bytes.subarray(0, at))
  else {
    const altered = Buffer.from(bytes)
    altered[at]! ^= 1 << Math.floor(random() * 8)
    writeFileSync(file, altered)
  }
  return how
}

async function verifyDeep({ home, run, tally }: Subject, by_command: boolean): Promise<Verification> {
  if (by_command) {
    const { code, stdout } = await run(['verify', '--deep', '--json'])
    const found = JSON.parse(stdout) as Verification
    assert.equal(code, found.damage.length === 0 ? 0 : 1)
    tally.add('verify by command')
    return found
  }
  const deps = { layout: home.layout, disk: realDisk, memory_mb: 256, threads: 1, onProgress() {} }
  return verifyStore(deps, true)
}

/** Every range that holds the day is answered with the problem, and with no number. */
async function assertRefused({ subject, random }: Step, path: string, date: string): Promise<void> {
  const days = () => Math.floor(random() * DATES.length)
  const range = `from=${addDays(date, -days())}&to=${addDays(date, days())}`
  for (const question of [`dau?${range}`, `top-events?${range}`, `dau?from=${date}&to=${date}`]) {
    const { status, json } = await get<{ type?: string; detail?: string }>(
      `${subject.service.url}/stats/${question}`,
    )
    assert.deepEqual([status, json.type], [500, '/problems/cold_file_damaged'], question)
    assert.ok(json.detail!.includes(path) && json.detail!.includes(date), json.detail)
  }
}

export const DAMAGE: CommandKind = {
  name: 'damage and verify',
  weight: 20,
  possible: (model) => model.files.size > 0,
  act: damageAndRestore,
}
