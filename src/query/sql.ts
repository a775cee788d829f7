import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import type { DuckValue } from '../store/duckdb.ts'
import { daysAskedFor, WINDOW_DAYS } from './question.ts'
import type { EventsQuestion, Position, Question, Segment } from './question.ts'

/**
 * The SQL of every question, once each, over a relation `events(day, user_id, event_type, properties)` of both tiers; to read events back it
 * also has `occurred_at` and `event_id`.
 */

export interface Statement {
  sql: string
  params: DuckValue[]
}

/**
 * @param events SQL of the relation
 * @returns rows: dau → (date, users); top_events → (event_type, count); retention → (window, users), window 0 being the cohort
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
 * The places of the newest matching events of some days. Times and ids alone, so that no properties are held for events that are not read.
 * @param events SQL of the relation
 * @returns rows: (occurred_at in µs, event_id), in the order of reading
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
 * The matching events from one place to another, both included, up to so many bytes of text.
 * @returns rows: (event_id, occurred_at in µs, user_id, event_type, properties), in the order of reading
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

// The time stands alone as well, because DuckDB pushes that down to the file and a comparison of pairs it does not.
function behind({ at_us, event_id }: Position, bind: (value: DuckValue) => string, than: '<' | '<='): string {
  const at = `make_timestamptz(${bind(String(at_us))}::BIGINT)`
  return `occurred_at <= ${at} AND (occurred_at < ${at} OR event_id ${than} ${bind(event_id)}::UUID)`
}

function before({ at_us, event_id }: Position, bind: (value: DuckValue) => string): string {
  const at = `make_timestamptz(${bind(String(at_us))}::BIGINT)`
  return `occurred_at >= ${at} AND (occurred_at > ${at} OR event_id >= ${bind(event_id)}::UUID)`
}

/** Text equals text. Where the value asked for is a number, a JSON number of that value is a match too, however it is written. */
function condition({ field, values }: Segment, bind: (value: DuckValue) => string): string {
  const texts = values.map((value) => bind(value)).join(', ')
  if (typeof field === 'string') return `${field} IN (${texts})`
  const pointer = bind(`/${field.property.replaceAll('~', '~0').replaceAll('/', '~1')}`)
  const text = `json_extract_string(properties, ${pointer})`
  const numbers = values.filter((value) => DECIMAL.test(value) && Number.isFinite(Number(value)))
  if (numbers.length === 0) return `${text} IN (${texts})`
  // Bound as text: the driver binds a whole number as an integer, and refuses one beyond 64 bits.
  const list = numbers.map((value) => `${bind(String(Number(value)))}::DOUBLE`).join(', ')
  return `(${text} IN (${texts}) OR (json_type(properties, ${pointer}) IN ('UBIGINT', 'BIGINT', 'DOUBLE') AND TRY_CAST(${text} AS DOUBLE) IN (${list})))`
}

/** Not all that `Number()` takes: 0x10 and an empty text are texts. */
const DECIMAL = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/
