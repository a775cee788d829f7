import { join } from 'node:path'
import { groupByRows } from '../cold/groups.ts'
import { dayOf, formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import type { Catalog, ColdFile } from '../store/catalog.ts'
import { readParquetSql } from '../store/duckdb.ts'
import type { Asked, Days } from '../questions/parts/asked.ts'
import { isByUtcDay, typesOf } from '../questions/parts/user-days.ts'
import { createSource } from '../questions/parts/source.ts'
import { questionNamed } from '../questions/table.ts'
import { statement } from '../sql/statement.ts'
import type { Statement } from '../sql/statement.ts'
import { utcDaysOf } from '../sql/time.ts'
import { eventsStatement, placesStatement } from './events-sql.ts'
import type { EventsQuestion, Position } from './question.ts'

/** Plans queries: which cold files to read, and the SQL. Pure. */

export interface QueryPlan extends Statement {
  /** The UTC days it reads. */
  days: Days
  files: readonly ColdFile[]
  cold_events: number
}

/** DuckDB copies the list of their days for each piece of a file. */
const FILES_PER_SCAN_MAX = 256

const COLUMNS = 'day, user_id, event_type, properties, event_id'
/** The mirror of the visible hot rows; see mirror.ts. */
const HOT = `SELECT ${COLUMNS}, occurred_at_us AS at_us, make_timestamptz(occurred_at_us) AS occurred_at FROM hot`
const COLD = `SELECT ${COLUMNS}, epoch_us(occurred_at) AS at_us, occurred_at`

/** Chooses the cold files of a question, and builds its SQL over them and the hot mirror. */
export function planQuery(asked: Asked, catalog: Catalog, cold_folder: string): QueryPlan {
  const definition = questionNamed(asked.name)
  const read = definition.reads?.(asked) ?? asked.days
  const days = utcDaysOf(asked.zone, read.from, read.to)
  const files = catalog.files.filter(({ day }) => day >= days.from && day <= days.to)
  const events = unite(files, cold_folder)
  const built = statement((bind) => definition.sql(asked, createSource(asked, events, bind)))
  return planOver(built, days, files)
}

/** What a question reads if it can be answered from sets. */
export interface UserDaysPlan {
  days: Days
  files: readonly ColdFile[]
  /** Null for all events. */
  types: readonly string[] | null
}

/** Whether a question can be answered from sets where there are any: by its parameters, its filter and its zone. */
export function isCountable({ name, filter, parameters, zone }: Asked): boolean {
  const can = questionNamed(name).from_user_days?.can(parameters) ?? false
  return can && typesOf(filter) !== undefined && isByUtcDay({ zone })
}

/** The files whose sets answer a question; null if it must read events. */
export function planUserDays(asked: Asked, catalog: Catalog): UserDaysPlan | null {
  const definition = questionNamed(asked.name)
  const types = typesOf(asked.filter)
  if (types === undefined || !isCountable(asked)) return null
  const days = definition.reads?.(asked) ?? asked.days
  return { days, types, files: catalog.files.filter(({ day }) => day >= days.from && day <= days.to) }
}

/** Consecutive days, both ends included, and their cold files. */
export interface DayGroup extends Days {
  files: readonly ColdFile[]
}

/**
 * Splits the days of a question into the steps in which to search for events, newest first: the
 * days after the newest cold day, then one cold day, two, four and so on. A full page stops early,
 * and a sparse one takes few steps. Together the groups are exactly the days of the question.
 */
export function planDayGroups({ from, to, after }: EventsQuestion, catalog: Catalog): DayGroup[] {
  const newest = after === null ? to : Math.min(to, dayOf(after.at_us))
  const files = catalog.files.filter(({ day }) => day >= from && day <= newest)
  const days = [...new Set(files.map(({ day }) => day))].toSorted((a, b) => b - a)
  const starts: Day[] = []
  if (days.length > 0 && days[0]! < newest) starts.push(days[0]! + 1)
  for (let taken = 1; taken < days.length; taken = taken * 2 + 1) starts.push(days[taken - 1]!)
  starts.push(from)
  return starts.map((start, i) => {
    const end = i === 0 ? newest : starts[i - 1]! - 1
    return { from: start, to: end, files: files.filter(({ day }) => day >= start && day <= end) }
  })
}

/** Plans the query for the positions of the newest matching events in a group. */
export function planPlaces(
  question: EventsQuestion,
  group: DayGroup,
  limit: number,
  cold_folder: string,
): QueryPlan {
  const events = unite(group.files, cold_folder)
  return planOver(placesStatement(question, group, limit, events), group, group.files)
}

/** Plans the query for the matching events between two positions, both included. */
export function planEvents(
  question: EventsQuestion,
  [first, last]: readonly [Position, Position],
  bytes_max: number,
  files: readonly ColdFile[],
  cold_folder: string,
): QueryPlan {
  const days = { from: dayOf(last.at_us), to: dayOf(first.at_us) }
  const between = files.filter(({ day }) => day >= days.from && day <= days.to)
  const events = unite(between, cold_folder)
  return planOver(eventsStatement(question, first, last, bytes_max, events), days, between)
}

function planOver(built: Statement, days: Days, files: readonly ColdFile[]): QueryPlan {
  return { ...built, days, files, cold_events: files.reduce((n, file) => n + file.rows, 0) }
}

/** Returns the SQL of both tiers as one relation. */
function unite(files: readonly ColdFile[], cold_folder: string): string {
  if (files.length === 0) return HOT
  const scans = groupByRows(files, Infinity, FILES_PER_SCAN_MAX).map((group) => {
    const paths = group.map((file) => join(cold_folder, file.path))
    // The day of a file is a constant for DuckDB; made of each row's time it would cost twice as much.
    const days = group.map((file) => `DATE '${formatDay(file.day)}'`).join(', ')
    return `${COLD} FROM (SELECT *, [${days}][(file_index + 1)::BIGINT] AS day FROM ${readParquetSql(paths)})`
  })
  return [HOT, ...scans].join(' UNION ALL ')
}
