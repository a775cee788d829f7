import { join } from 'node:path'
import { groupByRows } from '../cold/groups.ts'
import { dayOf, formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import type { Catalog, ColdFile } from '../store/catalog.ts'
import { readParquetSql } from '../store/duckdb.ts'
import { daysAskedFor } from './question.ts'
import type { EventsQuestion, Position, Question } from './question.ts'
import { eventsStatement, placesStatement, statementFor } from './sql.ts'
import type { Statement } from './sql.ts'

/** Plans queries: which cold files to read, and the SQL. Pure. */

export interface QueryPlan extends Statement {
  files: readonly ColdFile[]
  cold_events: number
}

/** DuckDB copies the list of their days for each piece of a file. */
const FILES_PER_SCAN_MAX = 256

const COUNTED = 'day, user_id, event_type, properties'
const READ = 'occurred_at, event_id'
/** The mirror of the visible hot rows; see mirror.ts. */
const HOT = `SELECT ${COUNTED} FROM hot`
const HOT_READ = `SELECT ${COUNTED}, make_timestamptz(occurred_at_us) AS occurred_at, event_id FROM hot`

/** Chooses the cold files of a question, and builds its SQL over them and the hot mirror. */
export function planQuery(question: Question, catalog: Catalog, cold_folder: string): QueryPlan {
  const { from, to } = daysAskedFor(question)
  const files = catalog.files.filter(({ day }) => day >= from && day <= to)
  return planOver(statementFor(question, unite(HOT, COUNTED, files, cold_folder)), files)
}

/** Consecutive days, both ends included, and their cold files. */
export interface DayGroup {
  from: Day
  to: Day
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
  const events = unite(HOT_READ, `${COUNTED}, ${READ}`, group.files, cold_folder)
  return planOver(placesStatement(question, group, limit, events), group.files)
}

/** Plans the query for the matching events between two positions, both included. */
export function planEvents(
  question: EventsQuestion,
  [first, last]: readonly [Position, Position],
  bytes_max: number,
  files: readonly ColdFile[],
  cold_folder: string,
): QueryPlan {
  const between = files.filter(({ day }) => day >= dayOf(last.at_us) && day <= dayOf(first.at_us))
  const events = unite(HOT_READ, `${COUNTED}, ${READ}`, between, cold_folder)
  return planOver(eventsStatement(question, first, last, bytes_max, events), between)
}

function planOver(statement: Statement, files: readonly ColdFile[]): QueryPlan {
  return { ...statement, files, cold_events: files.reduce((n, file) => n + file.rows, 0) }
}

/** Returns the SQL of both tiers as one relation. */
function unite(hot: string, columns: string, files: readonly ColdFile[], cold_folder: string): string {
  if (files.length === 0) return hot
  const scans = groupByRows(files, Infinity, FILES_PER_SCAN_MAX).map((group) => {
    const paths = group.map((file) => join(cold_folder, file.path))
    // The day of a file is a constant for DuckDB; made of each row's time it would cost twice as much.
    const days = group.map((file) => `DATE '${formatDay(file.day)}'`).join(', ')
    return `SELECT ${columns} FROM (SELECT *, [${days}][(file_index + 1)::BIGINT] AS day FROM ${readParquetSql(paths)})`
  })
  return [hot, ...scans].join(' UNION ALL ')
}
