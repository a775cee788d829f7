import { setTimeout } from 'node:timers/promises'
import { readLedger } from '../compactor/ledger.ts'
import { formatDay, parseDay } from '../src/event/time.ts'
import { openLayout } from '../src/store/layout.ts'
import { countOf } from '../tests/support/store.ts'
import type { TestStore } from '../tests/support/store.ts'
import type { Benchmark, Size } from './benchmark.ts'
import { serve, withStore, withStream } from './service.ts'
import { growthOf, median } from './statistics.ts'
import { startWatch } from './watch.ts'
import type { Sample } from './watch.ts'

/** So long past that every day is closed, also those of a run of days. */
const FIRST_DAY = parseDay('2000-01-01')!
const LOAD = { batch: 1_000, connections: 16 } as const
/** Of the top rate. */
const SHARE = 0.5
const MINUTE_S = 60
/** A short run has so many parts instead of minutes. */
const PARTS_MIN = 6
const TOP_S_MAX = 30

type Part = Sample & { request_p99_ms: number }

/** What must not grow, and in which unit. */
const WATCHED: Record<keyof Part, string> = {
  resident_mib: 'resident, MiB',
  wal_mib: 'log of SQLite, MiB',
  open_files: 'open files',
  request_p99_ms: 'request p99, ms',
}
const KEYS = Object.keys(WATCHED) as (keyof Part)[]

export const soak: Benchmark = {
  name: 'soak',
  rounds_max: 1,
  is_long: true,
  question: 'What grows while events come in and days go to cold without end?',
  method: ({ soak_minutes }) =>
    `${soak_minutes} minutes. First events are posted as fast as they are answered to a store of its own, for ${TOP_S_MAX} s at the most and without compaction, which gives ` +
    `the top rate. Then, to a fresh store, ${LOAD.batch} events with random ids a request at half of it, at fixed times over ${LOAD.connections} connections. Every minute the ` +
    'events are of the next day, and the service’s own schedule compacts all days. Every second it is asked for DAU or top events of the last three days, unless the last ' +
    'question still waits for its answer. Of each minute there are the median of its samples and the p99 of its requests; of those the medians over the first and the last ' +
    'third of the run, and the slope of a line through all of them. At the end a question has to count what was acknowledged. A short run has parts instead of minutes.',
  metrics: {
    top_events_per_s: { label: 'top rate, events/s', digits: 0 },
    events: { label: 'events acknowledged and counted', digits: 0 },
    compactions: { label: 'compactions', digits: 0 },
    compacted: { label: 'events that they moved', digits: 0 },
    questions: { label: 'questions', digits: 0 },
    question_ms: { label: 'question, median, ms', digits: 0 },
    ...Object.fromEntries(
      KEYS.flatMap((key) => [
        [`first_${key}`, { label: `${WATCHED[key]}: first third`, digits: 1 }],
        [`last_${key}`, { label: `${WATCHED[key]}: last third`, digits: 1 }],
        [`slope_${key}`, { label: `${WATCHED[key]}: growth a minute`, digits: 2 }],
      ]),
    ),
  },
  cases: (size) => [{ label: 'soak', round: () => measure(size) }],
}

async function measure({ soak_minutes }: Size) {
  const total_s = soak_minutes * MINUTE_S
  const part_s = Math.max(1, Math.min(MINUTE_S, Math.round(total_s / PARTS_MIN)))
  const days = { first: FIRST_DAY, each_s: part_s }
  const top_events_per_s = await withStore(async (store) => {
    const { url } = await serve(store)
    const { report } = await withStream({ ...LOAD, url, events_per_s: null, days }, () =>
      setTimeout(Math.min(TOP_S_MAX, part_s) * 1_000),
    )
    return report.accepted / report.took_s
  })
  const seen = await withStore((store) =>
    run(store, top_events_per_s * SHARE, days, Math.round(total_s / part_s)),
  )
  printParts(seen.parts, part_s)
  const growth = KEYS.map((key) => [key, growthOf(seen.parts.map((part) => part[key]))] as const)
  return {
    top_events_per_s,
    ...seen.totals,
    ...Object.fromEntries(
      growth.flatMap(([key, { first, last, slope }]) => [
        [`first_${key}`, first],
        [`last_${key}`, last],
        [`slope_${key}`, (slope * MINUTE_S) / part_s],
      ]),
    ),
  }
}

/** @throws {Error} when an acknowledged event is not counted, or a compaction failed */
async function run(
  store: TestStore,
  events_per_s: number,
  days: { first: number; each_s: number },
  parts: number,
) {
  const { database, compactions } = openLayout(store.data_dir)
  const part_s = days.each_s
  const COMPACT_CRON = part_s === MINUTE_S ? '* * * * *' : `*/${part_s} * * * * *`
  const service = await serve(store, { COMPACT_CRON })
  const { url } = service
  const question = (n: number, part: number) => {
    const to = days.first + part
    return `/stats/${n % 2 === 0 ? 'dau' : 'top-events'}?from=${formatDay(to - 2)}&to=${formatDay(to)}`
  }
  const { result, report } = await withStream({ ...LOAD, url, events_per_s, days }, async (nextWindow) => {
    let part = 0
    const watch = startWatch(service, database, (n) => question(n, part))
    const samples: Sample[] = []
    for (; part < parts; part += 1) {
      if (part > 0) nextWindow()
      await setTimeout(part_s * 1_000)
      samples.push(watch.takeSamples())
      console.error(`  part ${part + 1} of ${parts}: ${JSON.stringify(samples.at(-1))}`)
    }
    return { samples, questions_ms: await watch.stop() }
  })
  const counted = await countOf(url, `from=${formatDay(days.first)}&to=${formatDay(days.first + 2 * parts)}`)
  if (counted !== report.accepted)
    throw new Error(`${report.accepted} events were acknowledged, ${counted} are counted`)
  await service.stop()
  const { done, failed, rows } = readLedger(compactions)
  if (failed > 0) throw new Error(`${failed} compactions failed`)
  return {
    parts: result.samples.map((sample, n): Part => ({
      ...sample,
      request_p99_ms: report.windows[n]!.p99_ms,
    })),
    totals: {
      events: report.accepted,
      compactions: done,
      compacted: rows,
      questions: result.questions_ms.length,
      question_ms: median(result.questions_ms),
    },
  }
}

function printParts(parts: readonly Part[], part_s: number): void {
  console.log(`\n| part of ${part_s} s | ${KEYS.map((key) => WATCHED[key]).join(' | ')} |`)
  console.log(`|---:|${KEYS.map(() => '---:|').join('')}`)
  for (const [n, part] of parts.entries())
    console.log(`| ${n + 1} | ${KEYS.map((key) => part[key].toFixed(1)).join(' | ')} |`)
}
