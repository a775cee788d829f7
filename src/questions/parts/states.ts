import type { State } from '../../calendar/interval.ts'

/** Time that has not happened is not zero: what has not begun has no numbers, and what has not ended is marked. */

/** Set, and always true, if an interval has begun and not ended: its numbers still grow. */
export interface Incomplete {
  incomplete?: true
}

type Nullable<T> = { [K in keyof T]: T[K] | null }

/** An entry of an answer: its labels, and its numbers, null where the interval has not begun. */
export function marked<L extends object, N extends object>(
  state: State,
  labels: L,
  numbers: N,
): L & Nullable<N> & Incomplete {
  const told =
    state === 'future'
      ? (Object.fromEntries(Object.keys(numbers).map((name) => [name, null])) as Nullable<N>)
      : numbers
  return { ...labels, ...told, ...(state === 'incomplete' ? { incomplete: true } : {}) }
}

/** A number that was computed, rounded to six decimals. */
export function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6
}

/** A share, rounded to four decimals; 0 of nobody. */
export function rateOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000
}
