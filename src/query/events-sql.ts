import { formatDay } from '../event/time.ts'
import type { Days } from '../questions/parts/asked.ts'
import { conditionOf } from '../sql/filter.ts'
import { statement } from '../sql/statement.ts'
import type { Bind, Statement } from '../sql/statement.ts'
import type { EventsQuestion, Position } from './question.ts'

/** Builds the SQL that reads events, over the relation events(day, at_us, event_id, occurred_at, user_id, event_type, properties). */

/**
 * Builds the statement for the positions of the newest matching events. Only times and ids, so that
 * DuckDB does not keep the properties of events that are not on the page.
 * @param events SQL of the relation
 * @returns a statement with the rows (occurred_at in µs, event_id), newest first
 */
export function placesStatement(
  { filter, after }: EventsQuestion,
  days: Days,
  limit: number,
  events: string,
): Statement {
  return statement((bind) => {
    const conditions = [
      `day BETWEEN ${bind(formatDay(days.from))}::DATE AND ${bind(formatDay(days.to))}::DATE`,
      ...(after === null ? [] : [behind(after, bind, '<')]),
      ...(filter === null ? [] : [conditionOf(filter, bind)]),
    ]
    return `SELECT epoch_us(occurred_at)::DOUBLE, event_id::VARCHAR FROM (
            SELECT occurred_at, event_id FROM (${events}) WHERE ${conditions.join(' AND ')}
            ORDER BY occurred_at DESC, event_id DESC LIMIT ${bind(limit)})
          ORDER BY occurred_at DESC, event_id DESC`
  })
}

/**
 * Builds the statement for the matching events between two positions, both included, up to
 * `bytes_max` of text.
 * @returns a statement with the rows (event_id, occurred_at in µs, user_id, event_type,
 * properties), newest first
 */
export function eventsStatement(
  { filter }: EventsQuestion,
  first: Position,
  last: Position,
  bytes_max: number,
  events: string,
): Statement {
  return statement((bind) => {
    const conditions = [
      behind(first, bind, '<='),
      before(last, bind),
      ...(filter === null ? [] : [conditionOf(filter, bind)]),
    ]
    const order = 'ORDER BY occurred_at DESC, event_id DESC'
    return `SELECT event_id::VARCHAR, epoch_us(occurred_at)::DOUBLE, user_id, event_type, properties FROM (
            SELECT *, sum(strlen(user_id) + strlen(event_type) + strlen(properties)) OVER (${order} ROWS UNBOUNDED PRECEDING) AS bytes
            FROM (${events}) WHERE ${conditions.join(' AND ')})
          WHERE bytes <= ${bind(bytes_max)} ${order}`
  })
}

// The condition on the time is repeated alone: DuckDB pushes it down to the Parquet scan, but not a
// comparison of pairs.
function behind({ at_us, event_id }: Position, bind: Bind, than: '<' | '<='): string {
  const at = `make_timestamptz(${bind(String(at_us))}::BIGINT)`
  return `occurred_at <= ${at} AND (occurred_at < ${at} OR event_id ${than} ${bind(event_id)}::UUID)`
}

function before({ at_us, event_id }: Position, bind: Bind): string {
  const at = `make_timestamptz(${bind(String(at_us))}::BIGINT)`
  return `occurred_at >= ${at} AND (occurred_at > ${at} OR event_id >= ${bind(event_id)}::UUID)`
}
