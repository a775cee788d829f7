import { isDeepStrictEqual } from 'node:util'
import { shapeAnswer } from '../src/query/answer.ts'
import { parseQuestion } from '../src/query/parameters.ts'
import { formatDay, parseDay } from '../src/time.ts'
import { get } from '../tests/store.ts'
import type { Benchmark, Case } from './benchmark.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { installedOf } from './peers.ts'
import { residentMib, runApart } from './process.ts'
import type { Rows } from './rows.ts'
import { withStore } from './service.ts'
import { median } from './statistics.ts'
import type { PeerOrder, PeerReport } from './stats-peer.ts'
import { createStores, middleOf, TIERS } from './stats-stores.ts'
import type { Stores, Tier } from './stats-stores.ts'

/** How often a question is asked again after the first time. */
const RUNS = 5
/** From as many days before the middle of all days as behind it, so that retention needs both tiers where there are both. */
const WINDOWS = 7

const KINDS = ['dau', 'top_events', 'retention'] as const
type Kind = (typeof KINDS)[number]

export const stats: Benchmark = {
  name: 'stats',
  question: 'How long do the three questions take, against DuckDB alone and ClickHouse over the same events?',
  method: ({ rounds }) =>
    `Median of ${rounds} rounds. DAU and top events over 31 days, retention of ${WINDOWS} days after the first. Each question is asked of a process that has just started: first once, ` +
    `then ${RUNS} times, of which the median is taken. All files are in the operating system's cache. The service is asked over HTTP; first of all it checks every cold file that it reads ` +
    'against its checksum. DuckDB alone runs the same SQL over the cold files of the store that is all cold; ClickHouse (chdb) has one MergeTree table, ordered by user and time, one part. ' +
    `Each has ${THREADS} threads and ${MEMORY_MB} MB for a question, and gives the same answers. The ratios are to DuckDB alone in the same round, both warm. ` +
    'The start of an engine is that of its library in a process that runs, the start of the service that of its process until it is ready, with all hot rows mirrored.',
  metrics: {
    start_ms: { label: 'start, ms', digits: 0 },
    dau_first_ms: { label: 'DAU first, ms', digits: 0 },
    dau_warm_ms: { label: 'warm, ms', digits: 1 },
    dau_ratio: { label: 'ratio', digits: 2 },
    top_events_first_ms: { label: 'top events first, ms', digits: 0 },
    top_events_warm_ms: { label: 'warm, ms', digits: 1 },
    top_events_ratio: { label: 'ratio', digits: 2 },
    retention_first_ms: { label: 'retention first, ms', digits: 0 },
    retention_warm_ms: { label: 'warm, ms', digits: 1 },
    retention_ratio: { label: 'ratio', digits: 2 },
    peak_mib: { label: 'peak, MiB', digits: 0 },
  },
  cases({ stats_events }) {
    const has_clickhouse = installedOf(['chdb']).length > 0
    return stats_events.flatMap((count) => {
      const stores = createStores(count)
      const alone = new Map<number, Promise<Asked>>()
      /** Once a round, by whichever case comes first. */
      function askAlone(round: number): Promise<Asked> {
        if (!alone.has(round))
          alone.set(
            round,
            askAll(stores, (asked) => askPeer('duckdb', stores, asked)),
          )
        return alone.get(round)!
      }
      const against = (label: string, ask: Ask): Case => ({
        label: `${count} events, ${label}`,
        async round(round) {
          const limit = await askAlone(round)
          return compare(await askAll(stores, ask), limit)
        },
      })
      return [
        {
          label: `${count} events, DuckDB alone`,
          round: async (round: number) => compare(await askAlone(round), await askAlone(round)),
        },
        ...(has_clickhouse ? [against('ClickHouse', (asked) => askPeer('clickhouse', stores, asked))] : []),
        ...TIERS.map((tier) =>
          against(`service, ${tier}`, (asked) => askService(tier, stores, count, asked)),
        ),
      ]
    })
  },
}

interface Question {
  kind: Kind
  parameters: Record<string, string>
}

interface Seen {
  start_ms: number
  first_ms: number
  warm_ms: number
  peak_mib: number
  answer: unknown
}

type Asked = Record<Kind, Seen>
type Ask = (question: Question) => Promise<Seen>

function questionsOver(rows: Rows): Question[] {
  const { from, to } = rows
  const start_date = formatDay(Math.max(parseDay(from)!, parseDay(middleOf(rows))! - (WINDOWS + 1) / 2))
  return [
    { kind: 'dau', parameters: { from, to } },
    { kind: 'top_events', parameters: { from, to } },
    { kind: 'retention', parameters: { start_date, windows: String(WINDOWS) } },
  ]
}

async function askAll(stores: Stores, ask: Ask): Promise<Asked> {
  const seen: [Kind, Seen][] = []
  for (const question of questionsOver(await stores.rows())) seen.push([question.kind, await ask(question)])
  return Object.fromEntries(seen) as Asked
}

/** @throws {Error} if an answer differs */
function compare(asked: Asked, limit: Asked): Record<string, number> {
  const all = Object.values(asked)
  const figures = KINDS.flatMap((kind) => {
    const { first_ms, warm_ms, answer } = asked[kind]
    if (!isDeepStrictEqual(answer, limit[kind].answer))
      throw new Error(
        `${kind}: ${JSON.stringify(answer)}, and of DuckDB alone ${JSON.stringify(limit[kind].answer)}`,
      )
    return [
      [`${kind}_first_ms`, first_ms],
      [`${kind}_warm_ms`, warm_ms],
      [`${kind}_ratio`, warm_ms / limit[kind].warm_ms],
    ] as const
  })
  return {
    start_ms: median(all.map(({ start_ms }) => start_ms)),
    ...Object.fromEntries(figures),
    peak_mib: Math.max(...all.map(({ peak_mib }) => peak_mib)),
  }
}

async function askPeer(
  engine: 'duckdb' | 'clickhouse',
  stores: Stores,
  { kind, parameters }: Question,
): Promise<Seen> {
  const folder = engine === 'duckdb' ? await stores.parquet() : await stores.clickhouse()
  const lists = Object.entries(parameters).map(([name, value]): [string, string[]] => [name, [value]])
  const question = parseQuestion(kind, Object.fromEntries(lists))
  const { rows, ...seen } = await runApart<PeerReport>('stats-peer', {
    act: 'ask',
    engine,
    folder,
    question,
    runs: RUNS,
  } satisfies PeerOrder)
  return { ...seen, answer: shapeAnswer(question, rows) }
}

async function askService(
  tier: Tier,
  stores: Stores,
  count: number,
  { kind, parameters }: Question,
): Promise<Seen> {
  const env = {
    DATA_DIR: await stores.store(tier),
    QUERY_THREADS: String(THREADS),
    QUERY_MEMORY_MB: String(MEMORY_MB),
  }
  return withStore(async (store) => {
    const started = performance.now()
    const service = await store.serve(env)
    const start_ms = performance.now() - started
    const url = `${service.url}/stats/${kind.replace('_', '-')}?${new URLSearchParams(parameters).toString()}`
    const took_ms: number[] = []
    let answer: unknown
    for (let run = 0; run <= RUNS; run += 1) {
      const asked = performance.now()
      const { status, json } = await get(url)
      took_ms.push(performance.now() - asked)
      if (status !== 200) throw new Error(`${kind} was answered with ${status}: ${JSON.stringify(json)}`)
      const { meta, ...shaped } = json
      answer = shaped
      const { hot_events, cold_events } = meta as { hot_events: number; cold_events: number }
      const is_whole = kind === 'retention' || hot_events + cold_events === count
      if (!is_whole) throw new Error(`${hot_events} hot and ${cold_events} cold of ${count} events were read`)
    }
    const peak_mib = residentMib(service.pid, "VmHWM")
    await service.stop()
    const [first_ms, ...again_ms] = took_ms
    return { start_ms, first_ms: first_ms!, warm_ms: median(again_ms), peak_mib, answer }
  })
}
