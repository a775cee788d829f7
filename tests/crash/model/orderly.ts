import assert from 'node:assert/strict'
import { FILES_PER_DAY_MAX } from '../../../compactor/plan.ts'
import { addDays } from '../../support/reference.ts'
import { pick, toCsv } from '../../support/sample.ts'
import type { SampleEvent } from '../../support/sample.ts'
import { post } from '../../support/store.ts'
import { copyOf, shuffle, someOf, times } from './command.ts'
import type { CommandKind, Step } from './command.ts'
import { compareRows } from './compare.ts'
import { DATES, FIRST_DATE } from './model.ts'

/** Commands that come to their end: whatever they report is the model's too. */

const BATCH_EVENTS_MAX = 8
const CSV_FRESH_MAX = 8
/** Each is a file that is synced, and copies may bring more days. */
const CSV_DATES_MAX = 2
/** Copies of each sort in a CSV file: of hot, of cold, and within the file. */
const CSV_COPIES_MAX = 3
/** A compaction that closes the days before this date closes all of them. */
export const AFTER_ALL = addDays(FIRST_DATE, DATES.length)

const batchOf = ({ random }: Step, make: () => SampleEvent) =>
  times(1 + Math.floor(random() * BATCH_EVENTS_MAX), make)

export async function postBatch({ model, subject }: Step, batch: readonly SampleEvent[]): Promise<void> {
  const { status, json } = await post(`${subject.service.url}/events`, batch)
  const { accepted, duplicates } = json
  assert.deepEqual({ status, accepted, duplicates }, { status: 200, ...model.store(batch, 'hot') })
}

/** Fresh rows, and rows that are copies of what lies in hot, in cold and in the file itself. */
export function makeCsvRows(step: Step): SampleEvent[] {
  const { model, random } = step
  const dates = times(CSV_DATES_MAX, () => pick(random, DATES))
  const fresh = times(1 + Math.floor(random() * CSV_FRESH_MAX), () =>
    model.fresh(random, pick(random, dates)),
  )
  const twice = times(Math.floor(random() * (CSV_COPIES_MAX + 1)), () => copyOf(step, pick(random, fresh)))
  const known = (['hot', 'cold'] as const).flatMap((tier) => someOf(step, tier, CSV_COPIES_MAX))
  return shuffle(random, [...fresh, ...twice, ...known.map((event) => copyOf(step, event))])
}

export async function importRows({ model, subject }: Step, rows: readonly SampleEvent[]): Promise<void> {
  const report = await subject.home.importCsv(toCsv(rows))
  const { accepted, duplicates } = model.store(rows, 'cold')
  assert.deepEqual(
    {
      rows: report.rows,
      imported: report.imported,
      duplicates: report.duplicates,
      rejected: report.rejected,
    },
    { rows: rows.length, imported: accepted, duplicates, rejected: 0 },
  )
}

/** Compacts all days before a date. Returns how many files were merged. */
async function compactBefore({ model, subject }: Step, before: string): Promise<number> {
  const { days, rows, files, merged_files } = await subject.home.compact({
    now_us: Date.parse(`${before}T00:00:00Z`) * 1_000,
  })
  assert.deepEqual({ days, rows, files, merged_files }, model.compact(before))
  if (merged_files > 0) subject.tally.add('compaction with a merge')
  return merged_files
}

/** Adds files to a day until one more makes its next compaction merge; that one is still in hot. */
export async function bringToMerge(step: Step): Promise<string> {
  const { model, random } = step
  const files = (date: string) => model.files.get(date) ?? 0
  const date = DATES.toSorted((a, b) => files(b) - files(a))[0]!
  for (;;) {
    await postBatch(step, [model.fresh(random, date)])
    if (files(date) >= FILES_PER_DAY_MAX) return date
    await compactBefore(step, addDays(date, 1))
  }
}

export const ORDERLY: readonly CommandKind[] = [
  {
    name: 'ingest',
    weight: 600,
    act: (step) =>
      postBatch(
        step,
        batchOf(step, () => step.model.fresh(step.random)),
      ),
  },
  {
    name: 'duplicate',
    weight: 500,
    possible: (model) => model.events.size > 0,
    async act(step) {
      const { random, model } = step
      const copies = [...someOf(step, 'hot', 4), ...someOf(step, 'cold', 4)].map((e) => copyOf(step, e))
      const fresh = random() < 0.5 ? [model.fresh(random)] : []
      // The second of these is a copy within the batch.
      const within = fresh.map((event) => copyOf(step, event))
      await postBatch(step, [...fresh, ...shuffle(random, [...copies, ...within])])
    },
  },
  {
    name: 'late event',
    weight: 500,
    possible: (model) => model.files.size > 0,
    act: (step) => {
      const date = pick(step.random, [...step.model.files.keys()])
      return postBatch(
        step,
        batchOf(step, () => step.model.fresh(step.random, date)),
      )
    },
  },
  { name: 'import', weight: 80, act: (step) => importRows(step, makeCsvRows(step)) },
  {
    name: 'compact',
    weight: 80,
    async act(step) {
      const all = step.random() < 0.6
      await compactBefore(step, all ? AFTER_ALL : pick(step.random, DATES))
    },
  },
  {
    name: 'merge',
    weight: 20,
    async act(step) {
      const date = await bringToMerge(step)
      assert.ok((await compactBefore(step, addDays(date, 1))) > FILES_PER_DAY_MAX)
    },
  },
  {
    name: 'restart',
    weight: 6,
    async act({ subject }) {
      await subject.service.stop()
      await subject.service.start()
    },
  },
  { name: 'all rows', weight: 25, act: ({ model, subject }) => compareRows(model, subject) },
]
