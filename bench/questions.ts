import { isDeepStrictEqual } from 'node:util'
import { get } from '../tests/support/store.ts'
import type { Benchmark } from './benchmark.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { installedOf } from './peers.ts'
import { linesOf, PLAIN_QUESTIONS } from './plain.ts'
import type { PlainOrder } from './plain-peer.ts'
import { runApart } from './process.ts'
import { RUNS, timed } from './questions-timed.ts'
import type { Timed } from './questions-timed.ts'
import { withStore } from './service.ts'
import { createStores } from './stats-stores.ts'
import type { Stores } from './stats-stores.ts'

const LABELS = PLAIN_QUESTIONS.map(({ label }) => label)

export const questions: Benchmark = {
  name: 'questions',
  rounds_max: 1,
  question: 'How long does every question take, compared with SQL by hand in DuckDB and in ClickHouse?',
  method: ({ stats_events }) =>
    `All days are cold; ${stats_events.join(' and ')} events of 30 days. Each question is asked ${RUNS + 1} times in turn; the figure is the median without the first. ` +
    'The service is asked over HTTP and checks its files; DuckDB alone reads the same files, by SQL as a person would write it for this question (`bench/plain.ts`); ' +
    `ClickHouse (chdb) has one MergeTree table, ordered by user and time. Each has ${THREADS} threads and ${MEMORY_MB} MB, and no figure where that is too little. All rows are compared and must be equal.`,
  metrics: {
    service_ms: { label: 'service, ms', digits: 1 },
    duckdb_ms: { label: 'DuckDB by hand, ms', digits: 1 },
    ratio: { label: 'service / DuckDB', digits: 2 },
    clickhouse_ms: { label: 'ClickHouse by hand, ms', digits: 1 },
  },
  cases({ stats_events }) {
    const engines = [
      'duckdb',
      ...(installedOf(['chdb']).length > 0 ? (['clickhouse'] as const) : []),
    ] as const
    return stats_events.flatMap((count) => {
      const stores = createStores(count)
      const seen = new Map<string, Promise<Timed>>()
      function once(key: string, ask: () => Promise<Timed>): Promise<Timed> {
        if (!seen.has(key)) seen.set(key, ask())
        return seen.get(key)!
      }
      return LABELS.map((label) => ({
        label: `${count} events, ${label}`,
        async round(round: number) {
          const service = (await once(`service ${round}`, () => askService(stores)))[label]!
          if ('failed' in service) throw new Error(`${label}: ${service.failed}`)
          const figures: Record<string, number> = { service_ms: service.ms }
          for (const engine of engines) {
            const peer = (await once(`${engine} ${round}`, () => askPlain(engine, stores)))[label]!
            if ('failed' in peer) {
              console.error(`${label}: ${engine} has no answer: ${peer.failed}`)
              continue
            }
            if (!isDeepStrictEqual(peer.lines, service.lines))
              throw new Error(differ(label, engine, service.lines, peer.lines))
            figures[`${engine}_ms`] = peer.ms
            if (engine === 'duckdb') figures['ratio'] = service.ms / peer.ms
          }
          return figures
        },
      }))
    })
  },
}

function differ(label: string, engine: string, own: readonly string[], others: readonly string[]): string {
  const missing = others.filter((line) => !own.includes(line)).slice(0, 3)
  const more = own.filter((line) => !others.includes(line)).slice(0, 3)
  return `${label}: only ${engine} has ${JSON.stringify(missing)}, only the service ${JSON.stringify(more)}`
}

async function askPlain(engine: PlainOrder['engine'], stores: Stores): Promise<Timed> {
  const { from, to } = await stores.rows()
  const folder = engine === 'duckdb' ? await stores.parquet() : await stores.clickhouse()
  const order: PlainOrder = { engine, folder, labels: LABELS, from, to }
  return await runApart<Timed>('plain-peer', order)
}

async function askService(stores: Stores): Promise<Timed> {
  const { from, to } = await stores.rows()
  const env = {
    DATA_DIR: await stores.store('all cold'),
    QUERY_THREADS: String(THREADS),
    QUERY_MEMORY_MB: String(MEMORY_MB),
    QUERY_TIMEOUT_MS: '600000',
  }
  return withStore(async (store) => {
    const service = await store.serve(env)
    const answers = await timed(LABELS, async ({ name, parameters, rows }) => {
      const query = new URLSearchParams(parameters({ from, to })).toString()
      const { status, json } = await get(`${service.url}/stats/${name}?${query}`)
      if (status !== 200) throw new Error(`${name} was answered with ${status}: ${JSON.stringify(json)}`)
      return linesOf(rows(json))
    })
    await service.stop()
    return answers
  })
}
