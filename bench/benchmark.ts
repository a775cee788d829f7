/** What a file of bench/ offers to run.ts: one question, asked once a round. */
export interface Benchmark {
  name: string
  /** What the figures answer, in one sentence. */
  question: string
  /** How they are measured, for whoever reads the table. */
  method(size: Size): string
  /** In the order in which they are printed. */
  metrics: Readonly<Record<string, Metric>>
  /** Measures once, in fresh processes on a fresh store. Returns a number for each metric. */
  round(size: Size, round: number): Promise<Record<string, number>>
}

export interface Metric {
  label: string
  digits: number
}

export interface Size {
  events: number
  rounds: number
  /** How often a question is asked before and after compaction. */
  runs: number
  /** Events in cold, for the benchmark that is about them. */
  cold_ids: number
  id_version: 4 | 7
  /** How many of the largest bodies are posted. */
  bodies: number
}
