import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import type { DuckValue } from '../store/duckdb.ts'
import { condition } from './filter.ts'
import { daysAskedFor, WINDOW_DAYS } from './question.ts'
import type { EventsQuestion, Position, Question } from './question.ts'

/**
 * Builds the SQL of every question over one relation of both tiers,
 * `events(day, user_id, event_type, properties)`. To list events it also has `occurred_at` and
 * `event_id`.
 */

export interface Statement {
  sql: string
  params: DuckValue[]
}

/**
 * Builds the statement of a question.
 * @param events SQL of the relation
 * @returns a statement with the rows: dau → (date, users); top_events → (event_type, count);
 * retention → (window, users), window 0 being the cohort
 */
export function statementFor(question: Question, events: string): Statement {
  const params: DuckValue[] = []
  const bind = (value: DuckValue) => `$${params.push(value)}`
  const { from, to } = daysAskedFor(question)
  const conditions = [
    `day BETWEEN ${bind(formatDay(from))}::DATE AND ${bind(formatDay(to))}::DATE`,
    ...question.segments.map((segment) => condition(segment, bind)),
  ]
  const selected = `SELECT day, user_id, event_type FROM (${events}) WHERE ${conditions.join(' AND ')}`
  switch (question.kind) {
    case 'dau':
      return {
        sql: `SELECT day::VARCHAR, count(DISTINCT user_id)::INTEGER FROM (${selected}) GROUP BY day`,
        params,
      }
    case 'top_events':
      return {
        sql: `SELECT event_type, count(*)::DOUBLE AS n FROM (${selected})
              GROUP BY event_type ORDER BY n DESC, event_type LIMIT ${bind(question.limit)}`,
        params,
      }
    case 'retention':
      return {
        sql: `WITH active AS (
                SELECT DISTINCT user_id, ((day - ${bind(formatDay(from))}::DATE) // ${WINDOW_DAYS[question.window]})::INTEGER AS w
                FROM (${selected}))
              SELECT w, count(*)::INTEGER FROM active
              WHERE user_id IN (SELECT user_id FROM active WHERE w = 0) GROUP BY w`,
        params,
      }
  }
}

/**
 * Builds the statement for the positions of the newest matching events. Only times and ids, so that
 * DuckDB does not keep the properties of events that are not on the page.
 * @param events SQL of the relation
 * @returns a statement with the rows (occurred_at in µs, event_id), newest first
 */
export function placesStatement(
  { segments, after }: EventsQuestion,
  days: { from: Day; to: Day },
  limit: number,
  events: string,
): Statement {
  const params: DuckValue[] = []
  const bind = (value: DuckValue) => `$${params.push(value)}`
  const conditions = [
    `day BETWEEN ${bind(formatDay(days.from))}::DATE AND ${bind(formatDay(days.to))}::DATE`,
    ...(after === null ? [] : [behind(after, bind, '<')]),
    ...segments.map((segment) => condition(segment, bind)),
  ]
  return {
    sql: `SELECT epoch_us(occurred_at)::DOUBLE, event_id::VARCHAR FROM (
            SELECT occurred_at, event_id FROM (${events}) WHERE ${conditions.join(' AND ')}
            ORDER BY occurred_at DESC, event_id DESC LIMIT ${bind(limit)})
          ORDER BY occurred_at DESC, event_id DESC`,
    params,
  }
}

/**
 * Builds the statement for the matching events between two positions, both included, up to
 * `bytes_max` of text.
 * @returns a statement with the rows (event_id, occurred_at in µs, user_id, event_type,
 * properties), newest first
 */
export function eventsStatement(
  { segments }: EventsQuestion,
  first: Position,
  last: Position,
  bytes_max: number,
  events: string,
): Statement {
  const params: DuckValue[] = []
  const bind = (value: DuckValue) => `$${params.push(value)}`
  const conditions = [
    behind(first, bind, '<='),
    before(last, bind),
    ...segments.map((segment) => condition(segment, bind)),
  ]
  const order = 'ORDER BY occurred_at DESC, event_id DESC'
  return {
    sql: `SELECT event_id::VARCHAR, epoch_us(occurred_at)::DOUBLE, user_id, event_type, properties FROM (
            SELECT *, sum(strlen(user_id) + strlen(event_type) + strlen(properties)) OVER (${order} ROWS UNBOUNDED PRECEDING) AS bytes
            FROM (${events}) WHERE ${conditions.join(' AND ')})
          WHERE bytes <= ${bind(bytes_max)} ${order}`,
    params,
  }
}

// The condition on the time is repeated alone: DuckDB pushes it down to the Parquet scan, but not a
// comparison of pairs.
function behind({ at_us, event_id }: Position, bind: (value: DuckValue) => string, than: '<' | '<='): string {
  const at = `make_timestamptz(${bind(String(at_us))}::BIGINT)`
  return `occurred_at <= ${at} AND (occurred_at < ${at} OR event_id ${than} ${bind(event_id)}::UUID)`
}

function before({ at_us, event_id }: Position, bind: (value: DuckValue) => string): string {
  const at = `make_timestamptz(${bind(String(at_us))}::BIGINT)`
  return `occurred_at >= ${at} AND (occurred_at > ${at} OR event_id >= ${bind(event_id)}::UUID)`
}
