import { formatDay } from '../event/time.ts'
import { daysAskedFor, WINDOW_DAYS } from './question.ts'
import type { Question } from './question.ts'

/** Shapes result rows into the JSON that clients get. */

/** A row as {@link statementFor} describes it. */
export type Row = readonly (string | number)[]

export interface DauAnswer {
  from: string
  to: string
  data: { date: string; dau: number }[]
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
  data: { window: number; from: string; to: string; users: number; rate: number }[]
}

export type Answer = DauAnswer | TopEventsAnswer | RetentionAnswer

export function shapeAnswer(question: Question, rows: readonly Row[]): Answer {
  switch (question.kind) {
    case 'dau':
      return shapeDau(question, rows)
    case 'top_events':
      return {
        from: formatDay(question.from),
        to: formatDay(question.to),
        limit: question.limit,
        data: rows.map(([event_type, count]) => ({ event_type: String(event_type), count: Number(count) })),
      }
    case 'retention':
      return shapeRetention(question, rows)
  }
}

function shapeDau(question: Question, rows: readonly Row[]): DauAnswer {
  const users = new Map(rows.map(([date, n]) => [date, Number(n)]))
  const { from, to } = daysAskedFor(question)
  const data: DauAnswer['data'] = []
  for (let day = from; day <= to; day += 1) {
    const date = formatDay(day)
    data.push({ date, dau: users.get(date) ?? 0 })
  }
  return { from: formatDay(from), to: formatDay(to), data }
}

function shapeRetention(
  question: Extract<Question, { kind: 'retention' }>,
  rows: readonly Row[],
): RetentionAnswer {
  const users = new Map(rows.map(([window, n]) => [Number(window), Number(n)]))
  const cohort_size = users.get(0) ?? 0
  const length = WINDOW_DAYS[question.window]
  const data: RetentionAnswer['data'] = []
  for (let window = 1; window <= question.windows; window += 1) {
    const from = question.start + window * length
    const back = users.get(window) ?? 0
    data.push({
      window,
      from: formatDay(from),
      to: formatDay(from + length - 1),
      users: back,
      rate: cohort_size === 0 ? 0 : Math.round((back / cohort_size) * 10_000) / 10_000,
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
