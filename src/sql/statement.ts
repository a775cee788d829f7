import type { DuckValue } from '../store/duckdb.ts'

/** SQL with positional parameters. */
export interface Statement {
  sql: string
  params: DuckValue[]
}

/** Binds a value and returns its placeholder. */
export type Bind = (value: DuckValue) => string

/** Builds a statement whose values are all bound. */
export function statement(build: (bind: Bind) => string): Statement {
  const params: DuckValue[] = []
  const sql = build((value) => `$${params.push(value)}`)
  return { sql, params }
}
