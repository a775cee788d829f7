import { formatDay, MICROS_PER_DAY } from '../event/time.ts'
import type { Day, Micros } from '../event/time.ts'
import { daysAskedFor, WINDOW_DAYS } from './question.ts'
import type { Question } from './question.ts'

/** Shapes result rows into the JSON that clients get. */

/** A row as {@link statementFor} describes it. */
export type Row = readonly (string | number)[]

/** Set, and always true, if the days of an entry have begun and not ended: its numbers still grow. */
interface Incomplete {
  incomplete?: true
}

export interface DauAnswer {
  from: string
  to: string
  /** `dau` is null if the day has not begun. */
  data: ({ date: string; dau: number | null } & Incomplete)[]
}

export interface TopEventsAnswer {
  from: string
  to: string
  limit: number
  data: { event_type: string; count: number }[]
}

export interface RetentionAnswer {
  start_date: string
  window: 'day' | 'week'
  windows: number
  cohort_size: number
  /** `users` and `rate` are null if the window has not begun. */
  data: ({
    window: number
    from: string
    to: string
    users: number | null
    rate: number | null
  } & Incomplete)[]
}

export type Answer = DauAnswer | TopEventsAnswer | RetentionAnswer

/** @param now_us tells which days have begun and ended; taken when the question arrived */
export function shapeAnswer(question: Question, rows: readonly Row[], now_us: Micros): Answer {
  switch (question.kind) {
    case 'dau':
      return shapeDau(question, rows, now_us)
    case 'top_events':
      return {
        from: formatDay(question.from),
        to: formatDay(question.to),
        limit: question.limit,
        data: rows.map(([event_type, count]) => ({ event_type: String(event_type), count: Number(count) })),
      }
    case 'retention':
      return shapeRetention(question, rows, now_us)
  }
}

/** Time that has not happened is not zero: nobody can have stayed away from it. */
function hasBegun(from: Day, now_us: Micros): boolean {
  return from * MICROS_PER_DAY <= now_us
}

/** @param to inclusive */
function mark(from: Day, to: Day, now_us: Micros): Incomplete {
  return hasBegun(from, now_us) && !hasBegun(to + 1, now_us) ? { incomplete: true } : {}
}

function shapeDau(question: Question, rows: readonly Row[], now_us: Micros): DauAnswer {
  const users = new Map(rows.map(([date, n]) => [date, Number(n)]))
  const { from, to } = daysAskedFor(question)
  const data: DauAnswer['data'] = []
  for (let day = from; day <= to; day += 1) {
    const date = formatDay(day)
    const dau = hasBegun(day, now_us) ? (users.get(date) ?? 0) : null
    data.push({ date, dau, ...mark(day, day, now_us) })
  }
  return { from: formatDay(from), to: formatDay(to), data }
}

function shapeRetention(
  question: Extract<Question, { kind: 'retention' }>,
  rows: readonly Row[],
  now_us: Micros,
): RetentionAnswer {
  const users = new Map(rows.map(([window, n]) => [Number(window), Number(n)]))
  const cohort_size = users.get(0) ?? 0
  const length = WINDOW_DAYS[question.window]
  const data: RetentionAnswer['data'] = []
  for (let window = 1; window <= question.windows; window += 1) {
    const from = question.start + window * length
    const to = from + length - 1
    const back = hasBegun(from, now_us) ? (users.get(window) ?? 0) : null
    data.push({
      window,
      from: formatDay(from),
      to: formatDay(to),
      users: back,
      rate: back === null ? null : rateOf(back, cohort_size),
      ...mark(from, to, now_us),
    })
  }
  return {
    start_date: formatDay(question.start),
    window: question.window,
    windows: question.windows,
    cohort_size,
    data,
  }
}

/** Rounded to four decimals; 0 of an empty cohort. */
function rateOf(users: number, cohort_size: number): number {
  return cohort_size === 0 ? 0 : Math.round((users / cohort_size) * 10_000) / 10_000
}
