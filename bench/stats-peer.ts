import { join } from 'node:path'
import type { Asked as Question, Row } from '../src/questions/parts/asked.ts'
import { createSource } from '../src/questions/parts/source.ts'
import { questionNamed } from '../src/questions/table.ts'
import { statement } from '../src/sql/statement.ts'
import { openDuck, sqlText } from '../src/store/duckdb.ts'
import { openClickHouse } from './clickhouse.ts'
import { MEMORY_MB, THREADS } from './duck.ts'
import { residentMib, serveApart } from './process.ts'
import { askInTurn } from './stats-questions.ts'
import type { Asked, Kind } from './stats-questions.ts'

/** A query engine alone in a process: no service, no HTTP, one tier. */

export type PeerOrder =
  | {
      act: 'ask'
      engine: keyof typeof ENGINES
      /** Folder of the cold files, or of ClickHouse's data. */
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
  /** The service's SQL over the same files, which are found by glob and not verified. */
  async duckdb(folder: string): Promise<Engine> {
    const duck = await openDuck({ threads: THREADS, memory_mb: MEMORY_MB, spill: join(folder, '../spill') })
    const connection = await duck.connect()
    await connection.run('SET parquet_metadata_cache = true')
    const events = `SELECT day, epoch_us(occurred_at) AS at_us, event_id, user_id, event_type, properties
      FROM read_parquet(${sqlText(join(folder, '*/*.parquet'))}, hive_partitioning = true, hive_types = {'day': DATE})`
    return {
      async ask(question) {
        const { sql, params } = statement((bind) =>
          questionNamed(question.name).sql(question, createSource(question, events, bind)),
        )
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
