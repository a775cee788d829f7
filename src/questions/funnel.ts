import * as v from 'valibot'
import { formatDay, MICROS_PER_DAY } from '../event/time.ts'
import { printFilter } from '../filter/print.ts'
import type { Filter } from '../filter/tree.ts'
import { conditionOf } from '../sql/filter.ts'
import type { Days, Row } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { duration } from './parts/duration.ts'
import { EXAMPLE_RANGE } from './parts/examples.ts'
import { several } from './parts/expression.ts'
import { GROUP_SCHEMA, groupColumns, GROUPING, groupOf } from './parts/groups.ts'
import type { Group } from './parts/groups.ts'
import { COUNT, DAY, listOf, objectOf, SHARE, TEXT } from './parts/json-schema.ts'
import { choice, RANGE } from './parts/parameters.ts'
import { rateOf, rounded } from './parts/states.ts'

export const FUNNEL_STEPS_MAX = 12
const FUNNEL_STEPS_MIN = 2
export const FUNNEL_EXCLUDES_MAX = 4
export const WITHIN_DAYS_MAX = 90

const MICROS_PER_SECOND = 1_000_000

interface FunnelStep {
  /** Its expression. */
  step: string
  users: number
  /** Of the users of the first step. */
  rate: number
  /** Of the users of the step before. */
  from_previous: number
  /** Seconds since the step before; null for the first step, and where nobody came. */
  median_s: number | null
  p90_s: number | null
}

export interface FunnelAnswer {
  from: string
  to: string
  order: 'ordered' | 'strict' | 'any'
  within_s: number
  data: FunnelStep[]
  /** With `group_by`. */
  groups?: { group: Group; data: FunnelStep[] }[]
}

function csvRowsOf(steps: readonly FunnelStep[], group: readonly (string | null)[]) {
  return steps.map((d) => [...group, d.step, d.users, d.rate, d.from_previous, d.median_s, d.p90_s])
}

export const funnel = define({
  name: 'funnel',
  kind: 'funnel',
  title: 'Conversion through steps',
  text:
    'How many users did the first step within the range, and then each further step within the time `within` of that first step. An attempt begins with each ' +
    'event of the first step; of a user, the attempt that reaches most steps counts, the earliest of several. Events of a user are in the order of their time; those of the same time ' +
    'in the order of their ids. `order=ordered`: each step is done after the step before, other events may lie between. `order=strict`: no other event lies between, of those that the filter lets ' +
    'through. `order=any`: the further steps are done in any order after the first; a row is then about so many of them, and an event counts for every step that it fits. An `exclude` event after the first step ends the attempt. ' +
    'With `group_by` an attempt belongs to the group of its first event.',
  parameters: v.object({
    ...RANGE,
    step: several(FUNNEL_STEPS_MIN, FUNNEL_STEPS_MAX),
    within: v.optional(duration(WITHIN_DAYS_MAX * 86_400), '7d'),
    order: v.optional(choice(['ordered', 'strict', 'any']), 'ordered'),
    exclude: v.optional(several(1, FUNNEL_EXCLUDES_MAX)),
    ...GROUPING,
  }),
  parameter_texts: {
    step: 'A step, as `event_type:buy` or a filter; given once for each step.',
    within: 'Longest time from the first step to the last: `90s`, `30m`, `2h`, `7d`.',
    order: 'How the steps follow each other.',
    exclude: 'A filter; an event that it lets through ends an attempt.',
  },
  days: ({ from, to }) => ({ from, to }),
  reads: ({ parameters, days }) => readDays(parameters.within, days),
  sql({ parameters: p, days }, { select, interval, bind }) {
    const read = readDays(p.within, days)
    const fields = p.group_by ?? []
    const groups = fields.map((_, i) => `g${i}`)
    const is = (filter: Filter) => conditionOf(filter, bind)
    const excluded = (p.exclude ?? []).map(is).join(' OR ') || 'false'
    const steps = p.step.map((filter, i) => `${is(filter)} AS s${i}`).join(', ')
    const columns = `user_id, at_us, event_id, ${interval('day', read)} AS local_day, ${steps}, ${excluded} AS is_excluded ${groupColumns(fields, bind)}`
    const reach =
      p.order === 'any' ? reachAny(p.step.length) : reachInOrder(p.step.length, p.order === 'strict')
    const kept = ['user_id', ...groups, 'start', ...p.step.map((_, i) => `t${i}`)].join(', ')
    return `
      WITH e AS (
        SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY at_us, event_id) AS r FROM (${select(columns, read)})),
      starts AS (
        SELECT user_id, r AS start, at_us AS t0, at_us + ${p.within * MICROS_PER_SECOND} AS until_us ${groups.map((g) => `, ${g}`).join('')}
        FROM e WHERE s0 AND local_day BETWEEN ${days.from} AND ${days.to}),
      fenced AS (
        SELECT starts.*, coalesce(x.r, ${FAR}) AS fence
        FROM starts ASOF LEFT JOIN (SELECT user_id, r FROM e WHERE is_excluded) x ON starts.user_id = x.user_id AND starts.start < x.r),
      ${reach},
      attempts AS (SELECT ${kept} FROM reached),
      ranked AS (SELECT *, ${p.step.map((_, i) => `(t${i} IS NOT NULL)::INTEGER`).join(' + ')} AS depth FROM attempts)
      ${resultOf(groups, p.step.length, p.groups)}`
  },
  answer({ parameters: p, days }, rows): FunnelAnswer {
    const fields = p.group_by ?? []
    const totals = rows.filter(([level]) => level === 'all')
    const of_groups = rows.filter(([level]) => level === 'group')
    const keys = [...new Set(of_groups.map((row) => JSON.stringify(row.slice(1, fields.length + 2))))]
    const stepsOf = (some: readonly Row[]) =>
      shapeSteps(
        p.step,
        some.map((row) => row.slice(fields.length + 2)),
      )
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      order: p.order,
      within_s: p.within,
      data: stepsOf(totals),
      ...(fields.length === 0
        ? {}
        : {
            groups: keys
              .map((key) => {
                const own = of_groups.filter((row) => JSON.stringify(row.slice(1, fields.length + 2)) === key)
                return {
                  is_other: own[0]![1] === true,
                  key,
                  group: groupOf(fields, own[0]!.slice(1)),
                  data: stepsOf(own),
                }
              })
              .toSorted(
                (a, b) =>
                  Number(a.is_other) - Number(b.is_other) ||
                  b.data[0]!.users - a.data[0]!.users ||
                  (a.key < b.key ? -1 : 1),
              )
              .map(({ group, data }) => ({ group, data })),
          }),
    }
  },
  csv({ data, groups }) {
    const names = Object.keys(groups?.[0]?.group ?? {})
    return [
      [...names, 'step', 'users', 'rate', 'from_previous', 'median_s', 'p90_s'],
      ...(groups === undefined
        ? csvRowsOf(data, [])
        : groups.flatMap((each) =>
            csvRowsOf(
              each.data,
              names.map((name) => each.group[name] ?? null),
            ),
          )),
    ]
  },
  schema: {
    name: 'Funnel',
    of: objectOf(
      {
        from: DAY,
        to: DAY,
        order: { enum: ['ordered', 'strict', 'any'] },
        within_s: COUNT,
        data: listOf(stepSchema()),
        groups: listOf(objectOf({ group: GROUP_SCHEMA, data: listOf(stepSchema()) })),
      },
      ['groups'],
    ),
  },
  examples: {
    funnel: {
      summary: 'From opening to buying',
      query: `${EXAMPLE_RANGE}&step=event_type:app_open&step=event_type:purchase`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          order: 'ordered',
          within_s: 604_800,
          data: [
            {
              step: 'event_type in (app_open)',
              users: 4,
              rate: 1,
              from_previous: 1,
              median_s: null,
              p90_s: null,
            },
            {
              step: 'event_type in (purchase)',
              users: 1,
              rate: 0.25,
              from_previous: 0.25,
              median_s: 119_500.876544,
              p90_s: 119_500.876544,
            },
          ],
        },
      },
    },
    funnel_of_one: {
      summary: 'One step is no funnel',
      query: `${EXAMPLE_RANGE}&step=event_type:app_open`,
      reply: { errors: [{ path: 'step', message: `must be given 2 to ${FUNNEL_STEPS_MAX} times` }] },
    },
  },
})

/** A row number that no event has. */
const FAR = '9223372036854775807'

/** The days of the range, and those in which an attempt may end. */
function readDays(within_s: number, { from, to }: Days): Days {
  return { from, to: to + Math.ceil((within_s * MICROS_PER_SECOND) / MICROS_PER_DAY) + 1 }
}

/** Each step is the next event of its kind; or, if strict, the very next event. */
function reachInOrder(steps: number, is_strict: boolean): string {
  const parts = [`reached0 AS (SELECT *, start AS r0 FROM fenced)`]
  for (let i = 1; i < steps; i += 1) {
    const next = `(SELECT user_id, r, at_us FROM e WHERE s${i}) step`
    const previous = `reached${i - 1} so_far`
    const join = is_strict
      ? `${previous} LEFT JOIN ${next} ON so_far.user_id = step.user_id AND step.r = so_far.r${i - 1} + 1`
      : `${previous} ASOF LEFT JOIN ${next} ON so_far.user_id = step.user_id AND so_far.r${i - 1} < step.r`
    // An ASOF join finds something for NULL, too.
    const counts = `so_far.r${i - 1} IS NOT NULL AND step.at_us <= so_far.until_us AND step.r < so_far.fence`
    parts.push(
      `reached${i} AS (SELECT so_far.*, CASE WHEN ${counts} THEN step.r END AS r${i}, CASE WHEN ${counts} THEN step.at_us END AS t${i} FROM ${join})`,
    )
  }
  return `${parts.join(',\n')}, reached AS (SELECT * FROM reached${steps - 1})`
}

/** The first event of each further step; their times in order are those of the rows. */
function reachAny(steps: number): string {
  const parts = [`reached0 AS (SELECT * FROM fenced)`]
  for (let i = 1; i < steps; i += 1) {
    parts.push(`reached${i} AS (
      SELECT so_far.*, CASE WHEN step.at_us <= so_far.until_us AND step.r < so_far.fence THEN step.at_us END AS first${i}
      FROM reached${i - 1} so_far ASOF LEFT JOIN (SELECT user_id, r, at_us FROM e WHERE s${i}) step
      ON so_far.user_id = step.user_id AND so_far.start < step.r)`)
  }
  const firsts = Array.from({ length: steps - 1 }, (_, i) => `first${i + 1}`).join(', ')
  const times = Array.from({ length: steps - 1 }, (_, i) => `times[${i + 1}] AS t${i + 1}`).join(', ')
  return `${parts.join(',\n')},
    reached AS (SELECT *, ${times} FROM (
      SELECT *, list_sort(list_filter([${firsts}], lambda t: t IS NOT NULL)) AS times FROM reached${steps - 1}))`
}

/** SQL: the attempt that gets furthest, of each user and group; of several such, the earliest. */
function bestOf(attempts: string, groups: readonly string[]): string {
  return `SELECT * FROM ${attempts} QUALIFY row_number() OVER (PARTITION BY ${['user_id', ...groups].join(', ')} ORDER BY depth DESC, start) = 1`
}

/** Rows: level, is_other, groups, step, users, median and 90th percentile of the seconds since the step before. */
function resultOf(groups: readonly string[], steps: number, groups_max: number): string {
  const counted = (level: string, from: string, keys: readonly string[]) =>
    Array.from({ length: steps }, (_, i) => {
      const seconds = i === 0 ? 'NULL::DOUBLE' : `(t${i} - t${i - 1}) / ${MICROS_PER_SECOND}`
      const quantile = (share: number) => `quantile_cont(${seconds}, ${share}) FILTER (depth > ${i})::DOUBLE`
      const names = level === 'all' ? ['false', ...groups.map(() => 'NULL')] : ['is_other', ...groups]
      return `SELECT '${level}' AS level, ${names.join(', ')}, ${i} AS step, count(*) FILTER (depth > ${i})::INTEGER, ${quantile(0.5)}, ${quantile(0.9)} FROM ${from} ${keys.length === 0 ? '' : `GROUP BY ${keys.join(', ')}`}`
    }).join(' UNION ALL ')
  const all = `, best AS (${bestOf('ranked', [])})`
  if (groups.length === 0) return `${all} ${counted('all', 'best', [])}`
  const keys = ['is_other', ...groups]
  const same = groups.map((g) => `ranked.${g} IS NOT DISTINCT FROM largest.${g}`).join(' AND ')
  const labels = groups.map((g) => `CASE WHEN largest.found THEN ranked.${g} END AS ${g}`).join(', ')
  return `${all},
    largest AS (
      SELECT ${groups.join(', ')}, true AS found FROM ranked GROUP BY ${groups.join(', ')}
      ORDER BY count(DISTINCT user_id) DESC, ${groups.map((g) => `${g} NULLS LAST`).join(', ')} LIMIT ${groups_max}),
    labelled AS (
      SELECT ranked.* EXCLUDE (${groups.join(', ')}), largest.found IS NULL AS is_other, ${labels} FROM ranked LEFT JOIN largest ON ${same}),
    best_of_groups AS (${bestOf('labelled', keys)})
    ${counted('all', 'best', [])} UNION ALL ${counted('group', 'best_of_groups', keys)}`
}

function secondsOf(value: Row[number] | undefined): number | null {
  return value === null || value === undefined ? null : rounded(Number(value))
}

function shapeSteps(filters: readonly Filter[], rows: readonly Row[]): FunnelStep[] {
  const found = new Map(rows.map(([step, ...numbers]) => [step, numbers]))
  const usersOf = (i: number) => Number(found.get(i)?.[0] ?? 0)
  return filters.map((filter, i) => ({
    step: printFilter(filter),
    users: usersOf(i),
    rate: rateOf(usersOf(i), usersOf(0)),
    from_previous: rateOf(usersOf(i), usersOf(Math.max(0, i - 1))),
    median_s: secondsOf(found.get(i)?.[1]),
    p90_s: secondsOf(found.get(i)?.[2]),
  }))
}

function stepSchema() {
  const seconds = { type: ['number', 'null'], minimum: 0 }
  return objectOf({
    step: TEXT,
    users: COUNT,
    rate: SHARE,
    from_previous: SHARE,
    median_s: seconds,
    p90_s: seconds,
  })
}
