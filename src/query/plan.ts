import { join } from 'node:path'
import type { Catalog, ColdFile } from '../cold/catalog.ts'
import { sqlTextList } from '../duckdb.ts'
import { daysAskedFor } from './question.ts'
import type { Question } from './question.ts'
import { statementFor } from './sql.ts'
import type { Statement } from './sql.ts'

export interface QueryPlan extends Statement {
  files: readonly ColdFile[]
  cold_events: number
}

/** The mirror of the visible hot rows; see mirror.ts. */
const HOT = 'SELECT day, user_id, event_type, properties FROM hot'

/** Which cold files a question needs, and its SQL over them and the hot mirror. Pure. */
export function planQuery(question: Question, catalog: Catalog, cold_folder: string): QueryPlan {
  const { from, to } = daysAskedFor(question)
  const files = catalog.files.filter(({ day }) => day >= from && day <= to)
  const paths = files.map((file) => join(cold_folder, file.path))
  const cold = `SELECT day, user_id, event_type, properties
    FROM read_parquet(${sqlTextList(paths)}, hive_partitioning = true, hive_types = {'day': DATE})`
  const events = files.length === 0 ? HOT : `${HOT} UNION ALL ${cold}`
  return {
    ...statementFor(question, events),
    files,
    cold_events: files.reduce((n, file) => n + file.rows, 0),
  }
}
