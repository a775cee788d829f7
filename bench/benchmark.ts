/** What a file of bench/ offers to run.ts: one question, asked of one or several cases. */
export interface Benchmark {
  name: string
  /** Takes so long that it is left out unless it is named. */
  is_long?: true
  /** Where a round takes minutes: how many there are if nobody asks for more. */
  rounds_max?: number
  /** What the figures answer, in one sentence. */
  question: string
  /** How they are measured, for whoever reads the table. */
  method(size: Size): string
  /** In the order in which they are printed. */
  metrics: Readonly<Record<string, Metric>>
  /** In the order in which they are measured: all of them once, then again in the next round. */
  cases(size: Size): readonly Case[]
}

export interface Metric {
  label: string
  digits: number
}

export interface Case {
  label: string
  /** Takes so long that it is left out unless `--only` names it. */
  is_long?: boolean
  /** Measures once, in fresh processes on a fresh store. Returns a number for each metric that the case has. */
  round(round: number): Promise<Record<string, number>>
}

export interface Size {
  events: number
  rounds: number
  /** How often a question is asked before and after compaction. */
  runs: number
  /** Rows that are in the hot tier before the load begins, one case each. */
  hot_rows: readonly number[]
  /** Events in cold, for the benchmark that is about them. */
  cold_ids: number
  /** Of the closed days that are compacted, one case each. */
  compact_rows: readonly number[]
  /** Of the imported files: the first has many small days, the others have 30 days each. */
  import_rows: readonly number[]
  /** How often, in turns, the stores with and without cold ids take the events. */
  pairs: number
  soak_minutes: number
  id_version: IdVersion
  /** How many of the largest bodies are posted. */
  bodies: number
  /** In the stores that the three questions are asked of, one after another. */
  stats_events: readonly number[]
}

/** Of a UUID: random ids are version 4, time-ordered ones version 7. */
export type IdVersion = 4 | 7
