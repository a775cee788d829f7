import { formatDay, parseDay } from '../src/event/time.ts'
import { middleOf } from './rows.ts'
import type { Rows } from './rows.ts'
import { median } from './statistics.ts'

/** The three questions, and how each engine is asked them. */

export const KINDS = ['dau', 'top_events', 'retention'] as const
export type Kind = (typeof KINDS)[number]

/** As they stand in a URL. */
export type Parameters = Record<Kind, Record<string, string>>

/** How often a question is asked once it is warm. */
export const RUNS = 5
/** From as many days before the middle of all days as behind it, so that retention needs both tiers where there are both. */
export const WINDOWS = 7

export function parametersOver(rows: Rows): Parameters {
  const { from, to } = rows
  const start_date = formatDay(Math.max(parseDay(from)!, parseDay(middleOf(rows))! - (WINDOWS + 1) / 2))
  return { dau: { from, to }, top_events: { from, to }, retention: { start_date, windows: String(WINDOWS) } }
}

export interface Asked<T> {
  /** Of the very first question, which is DAU. */
  first_ms: number
  warm_ms: Record<Kind, number>
  answers: Record<Kind, T>
}

export async function askInTurn<T>(ask: (kind: Kind) => Promise<T> | T): Promise<Asked<T>> {
  const took_ms: Record<Kind, number[]> = { dau: [], top_events: [], retention: [] }
  const answers: Partial<Record<Kind, T>> = {}
  for (const kind of KINDS) {
    for (let run = 0; run <= RUNS; run += 1) {
      const asked = performance.now()
      answers[kind] = await ask(kind)
      took_ms[kind].push(performance.now() - asked)
    }
  }
  const warm = (kind: Kind) => median(took_ms[kind].slice(1))
  return {
    first_ms: took_ms.dau[0]!,
    warm_ms: { dau: warm('dau'), top_events: warm('top_events'), retention: warm('retention') },
    answers: answers as Record<Kind, T>,
  }
}
