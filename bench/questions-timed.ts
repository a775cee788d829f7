import { PLAIN_QUESTIONS } from './plain.ts'
import type { PlainQuestion } from './plain.ts'
import { median } from './statistics.ts'

/** Runs of each question after the first, which is not counted. */
export const RUNS = 3

/** By label: the median time, and the rows as lines; or why there are none. */
export type Timed = Record<string, { ms: number; lines: string[] } | { failed: string }>

export async function timed(
  labels: readonly string[],
  ask: (question: PlainQuestion) => Promise<string[]>,
): Promise<Timed> {
  const found: Timed = {}
  for (const question of PLAIN_QUESTIONS.filter(({ label }) => labels.includes(label))) {
    const took_ms: number[] = []
    let lines: string[] = []
    try {
      for (let run = 0; run <= RUNS; run += 1) {
        const began = performance.now()
        lines = await ask(question)
        took_ms.push(performance.now() - began)
      }
      found[question.label] = { ms: median(took_ms.slice(1)), lines }
    } catch (error) {
      found[question.label] = { failed: String(error).split('\n')[0]! }
    }
  }
  return found
}
