import type * as v from 'valibot'
import type { CsvCell } from '../../event/csv-row.ts'
import type { ProblemEntry } from '../../problem/problem.ts'
import type { Asked, Days, Row } from './asked.ts'
import type { Json } from './json-schema.ts'
import type { Source } from './source.ts'
import type { FromUserDays } from './user-days.ts'

/** What a question is. */

/** A request that a reader can check by hand: over the events of the examples of `POST /events`. */
export interface QuestionExample {
  summary: string
  /** Query string. */
  query: string
  reply: { answer: object } | { csv: string } | { errors: readonly ProblemEntry[] }
}

export interface Definition<P = unknown, A extends object = object> {
  /** `/stats/<name>`, and the word behind `frostline ask`. */
  name: string
  /** Label of the metrics. */
  kind: string
  title: string
  /** What is counted, in which windows, and what happens at their edges. */
  text: string
  /** Parameters beside those that every question takes. */
  parameters: v.ObjectSchema<v.ObjectEntries, undefined>
  /** What each of them is, for those that are not told elsewhere. */
  parameter_texts?: Readonly<Record<string, string>>
  /** The local days it is about. */
  days(parameters: P): Days
  /** The parameters to blame where days are before or after those of the calendar, or too many. */
  days_parameters?: { first: string; last: string; count: string }
  /** What its parameters must not say together. */
  faults?(parameters: P): ProblemEntry[]
  /** The local days whose events it reads, if others than it is about. */
  reads?(asked: Asked<P>): Days
  /** The statement whose rows {@link answer} takes. */
  sql(asked: Asked<P>, source: Source): string
  /** The same rows without reading events, where its filter is about event types alone. */
  from_user_days?: FromUserDays<P>
  answer(asked: Asked<P>, rows: readonly Row[]): A
  /** A header, and the rows of the answer. */
  csv(answer: A): CsvCell[][]
  /** Name of the answer in the OpenAPI document, and its JSON Schema without `meta`. */
  schema: { name: string; of: Json }
  examples: Readonly<Record<string, QuestionExample>>
}

/** Lets TypeScript infer the types of one definition, and forgets them: the table holds all alike. */
export function define<E extends v.ObjectEntries, A extends object>(
  definition: Omit<Definition<v.InferOutput<v.ObjectSchema<E, undefined>>, A>, 'parameters'> & {
    parameters: v.ObjectSchema<E, undefined>
  },
): Definition {
  return definition as unknown as Definition
}
