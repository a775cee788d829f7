import { join } from 'node:path'
import type { Row } from '../src/query/answer.ts'
import type { Question } from '../src/query/question.ts'
import { statementFor } from '../src/query/sql.ts'
import { openDuck, sqlText } from '../src/store/duckdb.ts'
import { openClickHouse } from './clickhouse.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { residentMib, serveApart } from './process.ts'
import { askInTurn } from './stats-questions.ts'
import type { Asked, Kind } from './stats-questions.ts'

/** An engine alone in a process: no service, no HTTP, no second tier. */

export type PeerOrder =
  | {
      act: 'ask'
      engine: keyof typeof ENGINES
      /** Of the cold files, or what ClickHouse has made of them. */
      folder: string
      questions: Record<Kind, Question>
    }
  | { act: 'fill'; folder: string; source: string }

export interface PeerReport extends Asked<Row[]> {
  start_ms: number
  peak_mib: number
}

interface Engine {
  ask(question: Question): Promise<Row[]> | Row[]
}

const ENGINES = {
  /** The service's own SQL over the same files, which it finds by itself and does not check. */
  async duckdb(folder: string): Promise<Engine> {
    const duck = await openDuck({ threads: THREADS, memory_mb: MEMORY_MB, spill: join(folder, '../spill') })
    const connection = await duck.connect()
    await connection.run('SET parquet_metadata_cache = true')
    const events = `SELECT day, user_id, event_type, properties
      FROM read_parquet(${sqlText(join(folder, '*/*.parquet'))}, hive_partitioning = true, hive_types = {'day': DATE})`
    return {
      async ask(question) {
        const { sql, params } = statementFor(question, events)
        return (await connection.runAndReadAll(sql, params)).getRows() as unknown as Row[]
      },
    }
  },
  clickhouse: openClickHouse,
} satisfies Record<string, (folder: string) => Promise<Engine>>

serveApart<PeerOrder, PeerReport | null>(async (order) => {
  if (order.act === 'fill') {
    const clickhouse = await openClickHouse(order.folder)
    clickhouse.fill(order.source)
    clickhouse.close()
    return null
  }
  const started = performance.now()
  const engine = await ENGINES[order.engine](order.folder)
  const start_ms = performance.now() - started
  const asked = await askInTurn((kind) => engine.ask(order.questions[kind]))
  return { ...asked, start_ms, peak_mib: residentMib(process.pid, 'VmHWM') }
})
