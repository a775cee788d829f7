import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatDay, parseDay } from '../src/event/time.ts'
import { openStore } from '../src/store/sqlite.ts'
import { idFor, insertEvent, toCsv } from '../tests/support/sample.ts'
import type { SampleEvent } from '../tests/support/sample.ts'
import { countOf } from '../tests/support/store.ts'
import type { TestStore } from '../tests/support/store.ts'
import type { Benchmark } from './benchmark.ts'
import { watchJob } from './job.ts'
import { serve, withStore } from './service.ts'

const FIRST = parseDay('2017-01-01')!

export const smallDays: Benchmark = {
  name: 'small-days',
  rounds_max: 1,
  question: 'What does it cost that events are spread over many days?',
  method: ({ small_days: days, rounds }) =>
    `Median of ${rounds} rounds. ${days} events, one a day, and the same number of events in one day, each in a store of its own. The reports of import and compaction are their clocks. ` +
    'The service is started on the imported store; first DAU is the first question over all its days, and checks the checksum of every file.',
  metrics: {
    import_s: { label: 'import, s', digits: 2 },
    first_dau_s: { label: 'first DAU, s', digits: 2 },
    dau_s: { label: 'DAU, s', digits: 2 },
    compact_s: { label: 'compaction, s', digits: 2 },
  },
  cases: ({ small_days: days }) => [
    { label: `${days} days of one event`, round: () => measure(days, days) },
    { label: `one day of ${days} events`, round: () => measure(days, 1) },
  ],
}

async function measure(events: number, days: number) {
  const made = Array.from({ length: events }, (_, n): SampleEvent => ({
    event_id: idFor(String(n)),
    occurred_at: `${formatDay(FIRST + (n % days))}T10:00:00.000Z`,
    user_id: n % 100,
    event_type: 'page_view',
    properties: { path: '/' },
  }))
  const range = `from=${formatDay(FIRST)}&to=${formatDay(FIRST + Math.max(days, 2) - 1)}`
  const imported = await withStore((store) => importAndAsk(store, made, range))
  const compacted = await withStore((store) => compactAll(store, made))
  return { ...imported, ...compacted }
}

async function importAndAsk(store: TestStore, events: readonly SampleEvent[], range: string) {
  const csv = join(store.dir, 'history.csv')
  writeFileSync(csv, toCsv(events))
  const { report } = await watchJob<{ imported: number; took_ms: number }>(
    store.start(['import', csv, '--json']),
  )
  if (report.imported !== events.length) throw new Error(`imported ${report.imported} of ${events.length}`)
  const service = await serve(store)
  const ask = async () => {
    const asked = performance.now()
    const { status } = await fetch(`${service.url}/stats/dau?${range}`)
    if (status !== 200) throw new Error(`the question was answered with ${status}`)
    return (performance.now() - asked) / 1_000
  }
  const first_dau_s = await ask()
  const dau_s = await ask()
  const counted = await countOf(service.url, range)
  if (counted !== events.length) throw new Error(`counted ${counted} of ${events.length}`)
  await service.stop()
  return { import_s: report.took_ms / 1_000, first_dau_s, dau_s }
}

async function compactAll(store: TestStore, events: readonly SampleEvent[]) {
  const made = await store.serve()
  await made.stop()
  const db = openStore(join(store.data_dir, 'frostline.db'))
  db.transaction(() => {
    for (const event of events) insertEvent(db, event)
  })()
  db.close()
  const { report } = await watchJob<{ rows: number; took_ms: number }>(store.start(['compact', '--json']))
  if (report.rows !== events.length) throw new Error(`compacted ${report.rows} of ${events.length}`)
  return { compact_s: report.took_ms / 1_000 }
}
