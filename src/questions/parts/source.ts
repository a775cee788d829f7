import type { Unit } from '../../calendar/interval.ts'
import { formatDay } from '../../event/time.ts'
import { conditionOf } from '../../sql/filter.ts'
import type { Bind } from '../../sql/statement.ts'
import { intervalNumber, localDay, utcDaysOf } from '../../sql/time.ts'
import type { Asked, Days } from './asked.ts'

/** The events that a question reads, as SQL pieces. */
export interface Source {
  bind: Bind
  /**
   * A SELECT over the events of the question's days that its filter lets through.
   * @param columns SQL over day, at_us, event_id, user_id, event_type, properties
   * @param days others than the question's own
   */
  select(columns: string, days?: Days): string
  /** The number of the local interval of an event, for `columns`. */
  interval(unit: Unit, days?: Days): string
}

/** @param events SQL of the relation events(day, at_us, event_id, user_id, event_type, properties) */
export function createSource({ days: own, zone, filter }: Asked, events: string, bind: Bind): Source {
  return {
    bind,
    select(columns, days = own) {
      const utc = utcDaysOf(zone, days.from, days.to)
      const conditions = [`day BETWEEN ${date(utc.from)} AND ${date(utc.to)}`]
      if (utc.from !== days.from) {
        conditions.push(`${localDay(zone, days.from, days.to)} BETWEEN ${days.from} AND ${days.to}`)
      }
      if (filter !== null) conditions.push(conditionOf(filter, bind))
      return `SELECT ${columns} FROM (${events}) WHERE ${conditions.join(' AND ')}`
    },
    interval: (unit, days = own) => intervalNumber(unit, zone, days.from, days.to),
  }
}

const date = (day: number) => `DATE '${formatDay(day)}'`
