/** A benchmark that run.ts can run: one question, measured in one or more cases. */
export interface Benchmark {
  name: string
  /** Runs only if it is named on the command line. */
  is_long?: true
  /** Maximum number of rounds unless `--rounds` is given; for benchmarks whose rounds take minutes. */
  rounds_max?: number
  /** What the figures answer, in one sentence. */
  question: string
  /** How the figures are measured, for readers of the table. */
  method(size: Size): string
  /** In the order in which they are printed. */
  metrics: Readonly<Record<string, Metric>>
  /** In the order in which they are measured. Each round measures all of them. */
  cases(size: Size): readonly Case[]
}

export interface Metric {
  label: string
  digits: number
}

export interface Case {
  label: string
  /** Runs only if `--only` is given. */
  is_long?: boolean
  /** Measures once, in new processes on a new store. Returns a number for each metric that the case has. */
  round(round: number): Promise<Record<string, number>>
}

export interface Size {
  events: number
  rounds: number
  /** Rows in the hot tier before the load starts, one case each. */
  hot_rows: readonly number[]
  /** Events in cold, for the benchmark cold-ids. */
  cold_ids: number
  /** Rows of the day that is compacted, one case each. */
  compact_rows: readonly number[]
  /**
   * Rows of the imported files, one case each.
   * The first file has many small days, the others have 30 days.
   */
  import_rows: readonly number[]
  /** Days of one event each, in the benchmark small-days. */
  small_days: number
  /** How often, in turns, the stores with and without cold ids take the events. */
  pairs: number
  soak_minutes: number
  id_version: IdVersion
  /** Number of maximum-size bodies that are posted. */
  bodies: number
  /** Events in the stores of the benchmark stats, one store after the other. */
  stats_events: readonly number[]
}

/** UUID version: 4 is random, 7 is time-ordered. */
export type IdVersion = 4 | 7
