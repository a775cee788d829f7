import { MICROS_PER_DAY } from '../../event/time.ts'
import { conditionOf } from '../../sql/filter.ts'
import type { Asked } from './asked.ts'
import { groupColumns } from './groups.ts'
import { daysRead, startOf } from './retention-windows.ts'
import type { RetentionParameters } from './retention-windows.ts'
import type { Source } from './source.ts'

/**
 * Rows: level (`all` or `group`), cohort, is_other and groups if there are any, offset, users. Offset 0 is the cohort; otherwise a window or bracket in
 * which users were back, of an unbounded question the last window in which they were.
 */
export function retentionSql(asked: Asked<RetentionParameters>, { select, interval, bind }: Source): string {
  const { parameters: p } = asked
  const fields = p.group_by ?? []
  const groups = fields.map((_, i) => `g${i}`)
  const read = daysRead(asked)
  const is = (filter: typeof p.start) => (filter === undefined ? 'true' : conditionOf(filter, bind))
  const columns = `user_id, at_us, event_id, ${interval('day', read)} AS local_day, ${is(p.start)} AS is_start, ${is(p.return)} AS is_return ${groupColumns(fields, bind)}`
  return `
    WITH read AS (${select(columns, read)}),
    e AS (SELECT *, ${windowOf(p)} AS w FROM read),
    starts AS (${startsOf(p)}),
    labelled AS (${label(groups, p.groups)})
    ${levelOf(p, 'all', groups, false)} ${groups.length === 0 ? '' : `UNION ALL ${levelOf(p, 'group', groups, true)}`}`
}

/** The window of an event, counted from that of the first cohort; NULL before it. */
function windowOf(p: RetentionParameters): string {
  const behind = `(local_day - ${p.start_date})`
  const count = p.windows + p.cohorts
  const w =
    p.window === 'month'
      ? `len(list_filter([${Array.from({ length: count }, (_, i) => startOf(p, i)).join(', ')}], lambda bound: bound <= local_day)) - 1`
      : p.window === 'week'
        ? `${behind} // 7`
        : behind
  return `CASE WHEN local_day >= ${p.start_date} THEN ${w} END`
}

/** Start events that make somebody one of a cohort. */
function startsOf({ cohort, cohorts }: RetentionParameters): string {
  const of_all = 'SELECT * FROM e WHERE is_start'
  const first = `${of_all} QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY at_us, event_id) = 1`
  return `SELECT * FROM (${cohort === 'first' ? first : of_all}) WHERE w BETWEEN 0 AND ${cohorts - 1}`
}

function label(groups: readonly string[], groups_max: number): string {
  if (groups.length === 0) return 'SELECT * FROM starts'
  const same = groups.map((g) => `starts.${g} IS NOT DISTINCT FROM largest.${g}`).join(' AND ')
  const kept = groups.map((g) => `CASE WHEN largest.found THEN starts.${g} END AS ${g}`).join(', ')
  return `
    SELECT starts.* EXCLUDE (${groups.join(', ')}), largest.found IS NULL AS is_other, ${kept}
    FROM starts LEFT JOIN (
      SELECT ${groups.join(', ')}, true AS found FROM starts GROUP BY ${groups.join(', ')}
      ORDER BY count(DISTINCT user_id) DESC, ${groups.map((g) => `${g} NULLS LAST`).join(', ')} LIMIT ${groups_max}) largest ON ${same}`
}

function levelOf(
  p: RetentionParameters,
  level: string,
  groups: readonly string[],
  is_grouped: boolean,
): string {
  const keys = is_grouped ? ['is_other', ...groups] : []
  const listed = keys.map((key) => `, ${key}`).join('')
  const told =
    groups.length === 0 ? '' : is_grouped ? listed : `, false, ${groups.map(() => 'NULL').join(', ')}`
  const members = `SELECT user_id, w AS c${listed}, min(at_us) AS t0 FROM labelled GROUP BY user_id, w${listed}`
  const offset = p.window === '24h' ? `(e.at_us - m.t0) // ${MICROS_PER_DAY}` : 'e.w - m.c'
  const entry =
    p.kind === 'bracket'
      ? `len(list_filter([${p.brackets!.join(', ')}], lambda bound: bound < back)) + 1`
      : p.kind === 'unbounded'
        ? `max(back) OVER (PARTITION BY user_id, c${listed})`
        : 'back'
  const last = p.kind === 'bracket' ? p.brackets!.at(-1)! : p.windows
  return `
    SELECT * FROM (WITH members AS (${members}),
    backs AS (
      SELECT m.user_id, m.c${keys.map((key) => `, m.${key}`).join('')}, ${offset} AS back FROM members m JOIN e ON m.user_id = e.user_id
      WHERE e.is_return AND ${p.window === '24h' ? 'e.at_us > m.t0' : 'e.w > m.c'}),
    entries AS (SELECT DISTINCT user_id, c${listed}, ${entry} AS entry FROM backs WHERE back BETWEEN 1 AND ${last})
    SELECT '${level}' AS level, c::INTEGER${told}, 0 AS entry, count(DISTINCT user_id)::INTEGER FROM members GROUP BY c${listed}
    UNION ALL SELECT '${level}', c::INTEGER${told}, entry::INTEGER, count(*)::INTEGER FROM entries GROUP BY c${listed}, entry)`
}
