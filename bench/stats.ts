import { isDeepStrictEqual } from 'node:util'
import { nowMicros } from '../src/event/time.ts'
import { answerOf } from '../src/questions/parts/answer.ts'
import { parseQuestion } from '../src/questions/parts/parameters.ts'
import { questionNamed } from '../src/questions/table.ts'
import { get } from '../tests/support/store.ts'
import type { Benchmark, Case } from './benchmark.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { installedOf } from './peers.ts'
import { residentMib, runApart } from './process.ts'
import { withStore } from './service.ts'
import type { PeerOrder, PeerReport } from './stats-peer.ts'
import { askInTurn, KINDS, parametersOver, RUNS, WINDOWS } from './stats-questions.ts'
import type { Asked, Kind } from './stats-questions.ts'
import { createStores, TIERS } from './stats-stores.ts'
import type { Stores, Tier } from './stats-stores.ts'

/** A case with more hot events takes minutes to fill SQLite and the mirror, so it is marked as long. */
const HOT_EVENTS_MAX = 5_000_000
const HOT_SHARE = { 'all hot': 1, 'half and half': 0.5, 'all cold': 0 } as const satisfies Record<
  Tier,
  number
>

export const stats: Benchmark = {
  name: 'stats',
  rounds_max: 1,
  question:
    'How long do the three questions take, compared with DuckDB alone and ClickHouse over the same events?',
  method: ({ rounds }) =>
    `Median of ${rounds} rounds. The first query of a new process is DAU, its cold start. Then follow DAU and top events of all days and retention of ${WINDOWS} days, ` +
    `${RUNS} times each; the figure is the median. All files are in the operating system's page cache. The service is queried over HTTP; before its first answer it verifies the checksum of ` +
    'every cold file. DuckDB alone runs the same SQL over the cold files of the store that is all cold. ClickHouse (chdb) has one MergeTree table, ordered by user and time, one part. ' +
    `Each has ${THREADS} threads and ${MEMORY_MB} MB for a query, and all answers must be equal. The ratios are to DuckDB alone in the same round. The start of the service is the time from ` +
    'the start of its process until it is ready, with all hot rows mirrored; that of an engine is the time to open its library in a running process. ' +
    `Cases with more than ${HOT_EVENTS_MAX} hot events take much longer and run only if --only is given.`,
  metrics: {
    start_ms: { label: 'start, ms', digits: 0 },
    first_ms: { label: 'first DAU, ms', digits: 0 },
    dau_ms: { label: 'DAU, ms', digits: 1 },
    dau_ratio: { label: 'ratio', digits: 2 },
    top_events_ms: { label: 'top events, ms', digits: 1 },
    top_events_ratio: { label: 'ratio', digits: 2 },
    retention_ms: { label: 'retention, ms', digits: 1 },
    retention_ratio: { label: 'ratio', digits: 2 },
    peak_mib: { label: 'peak, MiB', digits: 0 },
  },
  cases({ stats_events }) {
    const has_clickhouse = installedOf(['chdb']).length > 0
    return stats_events.flatMap((count) => {
      const stores = createStores(count)
      const alone = new Map<number, Promise<Seen>>()
      /** Measured once per round, by the first case. */
      function askAlone(round: number): Promise<Seen> {
        if (!alone.has(round)) alone.set(round, askPeer('duckdb', stores))
        return alone.get(round)!
      }
      const caseOf = (label: string, ask: (round: number) => Promise<Seen>): Case => ({
        label: `${count} events, ${label}`,
        async round(round) {
          const limit = await askAlone(round)
          return compare(await ask(round), limit)
        },
      })
      return [
        caseOf('DuckDB alone', askAlone),
        ...(has_clickhouse ? [caseOf('ClickHouse', () => askPeer('clickhouse', stores))] : []),
        ...TIERS.map((tier) => ({
          ...caseOf(`service, ${tier}`, () => askService(tier, stores, count)),
          is_long: count * HOT_SHARE[tier] > HOT_EVENTS_MAX,
        })),
      ]
    })
  },
}

interface Seen extends Asked<unknown> {
  start_ms: number
  peak_mib: number
}

/** @throws {Error} if an answer differs */
function compare(seen: Seen, limit: Seen): Record<string, number> {
  const figures = KINDS.flatMap((kind): [string, number][] => {
    const [answer, expected] = [seen.answers[kind], limit.answers[kind]]
    if (!isDeepStrictEqual(answer, expected))
      throw new Error(
        `${kind} is ${JSON.stringify(answer)}, but DuckDB alone has ${JSON.stringify(expected)}`,
      )
    const warm_ms = seen.warm_ms[kind]
    return [
      [`${kind}_ms`, warm_ms],
      [`${kind}_ratio`, warm_ms / limit.warm_ms[kind]],
    ]
  })
  const { start_ms, first_ms, peak_mib } = seen
  return { start_ms, first_ms, ...Object.fromEntries(figures), peak_mib }
}

async function askPeer(engine: 'duckdb' | 'clickhouse', stores: Stores): Promise<Seen> {
  const folder = engine === 'duckdb' ? await stores.parquet() : await stores.clickhouse()
  const parameters = parametersOver(await stores.rows())
  const questionOf = (kind: Kind) => {
    const lists = Object.entries(parameters[kind]).map(([name, value]): [string, string[]] => [name, [value]])
    return parseQuestion(questionNamed(kind.replace('_', '-')), Object.fromEntries(lists), nowMicros())
  }
  const questions = {
    dau: questionOf('dau'),
    top_events: questionOf('top_events'),
    retention: questionOf('retention'),
  }
  const order: PeerOrder = { act: 'ask', engine, folder, questions }
  const { answers, ...seen } = await runApart<PeerReport>('stats-peer', order)
  const shaped = KINDS.map((kind) => [kind, answerOf(questions[kind], answers[kind])])
  return { ...seen, answers: Object.fromEntries(shaped) as Seen['answers'] }
}

async function askService(tier: Tier, stores: Stores, count: number): Promise<Seen> {
  const parameters = parametersOver(await stores.rows())
  const env = {
    DATA_DIR: await stores.store(tier),
    QUERY_THREADS: String(THREADS),
    QUERY_MEMORY_MB: String(MEMORY_MB),
  }
  return withStore(async (store) => {
    const started = performance.now()
    const service = await store.serve(env)
    const start_ms = performance.now() - started
    const asked = await askInTurn(async (kind) => {
      const query = new URLSearchParams(parameters[kind]).toString()
      const { status, json } = await get(`${service.url}/stats/${kind.replace('_', '-')}?${query}`)
      if (status !== 200) throw new Error(`${kind} was answered with ${status}: ${JSON.stringify(json)}`)
      const { meta, ...answer } = json
      const { hot_events, cold_events } = meta as { hot_events: number; cold_events: number }
      if (kind !== 'retention' && hot_events + cold_events !== count)
        throw new Error(`${kind} read ${hot_events} hot and ${cold_events} cold events of ${count}`)
      return answer
    })
    const peak_mib = residentMib(service.pid, 'VmHWM')
    await service.stop()
    return { ...asked, start_ms, peak_mib }
  })
}
