import * as v from 'valibot'
import { localDayOf } from '../calendar/zone.ts'
import { formatDay } from '../event/time.ts'
import type { Asked, Row } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { expression } from './parts/expression.ts'
import { GROUP_SCHEMA, GROUPING, groupOf } from './parts/groups.ts'
import type { Group } from './parts/groups.ts'
import { COUNT, DAY, listOf, markedOf, objectOf, SHARE } from './parts/json-schema.ts'
import { choice, day, integer } from './parts/parameters.ts'
import { retentionFromDays } from './parts/retention-days.ts'
import { retentionSql } from './parts/retention-sql.ts'
import { brackets, daysRead, offsetsOf, startOf, stateOf, WINDOWS } from './parts/retention-windows.ts'
import type { RetentionParameters } from './parts/retention-windows.ts'
import { marked, rateOf } from './parts/states.ts'
import type { Incomplete } from './parts/states.ts'

export const RETENTION_WINDOWS_MAX = 366
export const RETENTION_COHORTS_MAX = 100

/** `users` and `rate` are null if the window has not begun. */
type Cell = {
  window: number
  from: string
  to: string
  users: number | null
  rate: number | null
} & Incomplete

interface Cohort {
  cohort_size: number
  data: Cell[]
}

export interface RetentionAnswer extends Cohort {
  start_date: string
  window: RetentionParameters['window']
  windows: number
  /** With `cohorts`: one for each window from the first on. */
  cohorts?: (Cohort & { start_date: string })[]
  /** With `cohorts`: of each window, over all cohorts for which it has ended. */
  mean?: { window: number; users: number; cohort_size: number; rate: number }[]
  /** With `group_by`. */
  groups?: (Cohort & { group: Group })[]
}

function csvRowsOf({ data, cohort_size }: Cohort, first: readonly (string | null)[]) {
  return data.map((d) => [
    ...first,
    d.window,
    d.from,
    d.to,
    d.users,
    d.rate,
    cohort_size,
    d.incomplete ?? null,
  ])
}

export const retention = define({
  name: 'retention',
  kind: 'retention',
  title: 'Retention of a cohort',
  text:
    'How many users of a cohort came back. The cohort is every user with a `start` event in window 0, or with `cohort=first` whose first `start` event ever is in it. ' +
    'They are back in a window if they have a `return` event in it. Windows of one day, seven days or one month follow each other from `start_date`; with `window=24h` each user has windows of 24 hours from the first own `start` ' +
    'event of that day. `kind=n-day`: back in that window; `unbounded`: in that window or a later one, up to the last; `bracket`: in any window of a bracket, where `brackets=1,3,7` are the windows 1, 2 to 3 and 4 to 7. ' +
    '`cohorts=8` asks for the cohorts of 8 windows in turn, and the mean over them. With `group_by` a user belongs to the groups of the own `start` events of window 0.',
  parameters: v.object({
    start_date: day,
    windows: v.optional(integer(1, RETENTION_WINDOWS_MAX), '3'),
    window: v.optional(choice(WINDOWS), 'day'),
    kind: v.optional(choice(['n-day', 'unbounded', 'bracket']), 'n-day'),
    brackets: v.optional(brackets),
    cohort: v.optional(choice(['active', 'first']), 'active'),
    start: v.optional(expression),
    return: v.optional(expression),
    cohorts: v.optional(integer(1, RETENTION_COHORTS_MAX), '1'),
    ...GROUPING,
  }),
  parameter_texts: {
    kind: 'When a user is back.',
    brackets: 'Last window of each bracket, growing.',
    cohort: 'Who belongs to the cohort.',
    start: 'A filter: events that make a user one of the cohort. All by default.',
    return: 'A filter: events by which a user is back. All by default.',
    cohorts: 'Number of cohorts, one for each window from `start_date` on.',
  },
  days: (p) => ({ from: p.start_date, to: startOf(p, p.windows + p.cohorts) - 1 }),
  days_parameters: { first: 'start_date', last: 'start_date', count: 'windows' },
  faults: (p) => [
    ...((p.kind === 'bracket') === (p.brackets !== undefined)
      ? []
      : [{ path: 'brackets', message: 'belongs to kind=bracket, which needs it' }]),
    ...(p.brackets !== undefined && p.brackets.at(-1)! > p.windows
      ? [{ path: 'brackets', message: 'must end at a window that there is; windows is too small' }]
      : []),
    ...(p.cohorts > 1 && p.group_by !== undefined
      ? [{ path: 'group_by', message: 'may not be given with cohorts' }]
      : []),
  ],
  reads: daysRead,
  sql: (asked, source) => retentionSql(asked, source),
  from_user_days: retentionFromDays,
  answer(asked, rows): RetentionAnswer {
    const { parameters: p } = asked
    const fields = p.group_by ?? []
    const all = rows.filter(([level]) => level === 'all')
    const cohorts = Array.from({ length: p.cohorts }, (_, c) => ({
      start_date: formatDay(startOf(p, c)),
      ...cohortOf(
        asked,
        c,
        all.filter((row) => row[1] === c).map((row) => row.slice(-2)),
      ),
    }))
    return {
      start_date: formatDay(p.start_date),
      window: p.window,
      windows: p.windows,
      cohort_size: cohorts[0]!.cohort_size,
      data: cohorts[0]!.data,
      ...(p.cohorts === 1 ? {} : { cohorts, mean: meanOf(cohorts) }),
      ...(fields.length === 0 ? {} : { groups: groupsOf(asked, rows) }),
    }
  },
  csv: ({ cohorts, groups, ...one }) => {
    const header = ['window', 'from', 'to', 'users', 'rate', 'cohort_size', 'incomplete']
    if (cohorts !== undefined) {
      return [['start_date', ...header], ...cohorts.flatMap((each) => csvRowsOf(each, [each.start_date]))]
    }
    if (groups === undefined) return [header, ...csvRowsOf(one, [])]
    const names = Object.keys(groups[0]?.group ?? {})
    return [
      [...names, ...header],
      ...groups.flatMap((each) =>
        csvRowsOf(
          each,
          names.map((name) => each.group[name] ?? null),
        ),
      ),
    ]
  },
  schema: { name: 'Retention', of: schemaOf() },
  examples: {
    retention: {
      summary: 'One day later',
      query: 'start_date=2025-08-01&windows=1&window=day',
      reply: {
        answer: {
          start_date: '2025-08-01',
          window: 'day',
          windows: 1,
          cohort_size: 4,
          data: [{ window: 1, from: '2025-08-02', to: '2025-08-02', users: 2, rate: 0.5 }],
        },
      },
    },
    retention_csv: {
      summary: 'One week later, as CSV',
      query: 'start_date=2025-08-01&windows=1&window=week&format=csv',
      reply: {
        csv: 'window,from,to,users,rate,cohort_size,incomplete\r\n1,2025-08-08,2025-08-14,0,0,4,\r\n',
      },
    },
    retention_by_hour: {
      summary: 'A window that does not exist',
      query: 'start_date=2025-08-01&window=hour',
      reply: { errors: [{ path: 'window', message: `must be ${WINDOWS.join(' or ')}` }] },
    },
  },
})

type RetentionAsked = Asked<RetentionParameters>

/** @param rows (offset, users): of window 0 the cohort, then how many users were back */
function cohortOf({ parameters: p, zone, now_us }: RetentionAsked, c: number, rows: readonly Row[]): Cohort {
  const users = new Map(rows.map(([offset, n]) => [Number(offset), Number(n)]))
  const cohort_size = users.get(0) ?? 0
  const today = localDayOf(zone.zone, now_us)
  const last = p.kind === 'bracket' ? p.brackets!.length : p.windows
  // Of an unbounded one, a row says up to which window users were back.
  const backIn = (i: number) => {
    if (p.kind !== 'unbounded') return users.get(i) ?? 0
    return [...users].reduce((sum, [offset, n]) => (offset > 0 && offset >= i ? sum + n : sum), 0)
  }
  const data = Array.from({ length: last }, (_, i) => {
    const [first, end] = offsetsOf(p, i + 1)
    const from = startOf(p, c + first)
    const to = startOf(p, c + end + 1) - (p.window === '24h' ? 0 : 1)
    const back = backIn(i + 1)
    return marked(
      stateOf(from, to, today),
      { window: i + 1, from: formatDay(from), to: formatDay(to) },
      { users: back, rate: rateOf(back, cohort_size) },
    )
  })
  return { cohort_size, data }
}

function meanOf(cohorts: readonly Cohort[]): NonNullable<RetentionAnswer['mean']> {
  return cohorts[0]!.data.map(({ window }, i) => {
    const ended = cohorts.filter(({ data }) => data[i]!.users !== null && data[i]!.incomplete === undefined)
    const users = ended.reduce((sum, { data }) => sum + data[i]!.users!, 0)
    const cohort_size = ended.reduce((sum, each) => sum + each.cohort_size, 0)
    return { window, users, cohort_size, rate: rateOf(users, cohort_size) }
  })
}

function groupsOf(asked: RetentionAsked, rows: readonly Row[]): NonNullable<RetentionAnswer['groups']> {
  const fields = asked.parameters.group_by ?? []
  const found = new Map<string, Row[]>()
  for (const row of rows.filter(([level]) => level === 'group')) {
    const key = JSON.stringify(row.slice(2, -2))
    found.set(key, [...(found.get(key) ?? []), row])
  }
  return [...found]
    .map(([key, own]) => ({
      key,
      is_other: own[0]![2] === true,
      told: {
        group: groupOf(fields, own[0]!.slice(2)),
        ...cohortOf(
          asked,
          0,
          own.map((row) => row.slice(-2)),
        ),
      },
    }))
    .toSorted(
      (a, b) =>
        Number(a.is_other) - Number(b.is_other) ||
        b.told.cohort_size - a.told.cohort_size ||
        (a.key < b.key ? -1 : 1),
    )
    .map(({ told }) => told)
}

function schemaOf() {
  const cell = markedOf({ window: COUNT, from: DAY, to: DAY }, { users: COUNT, rate: SHARE })
  const cohort = { cohort_size: COUNT, data: listOf(cell) }
  return objectOf(
    {
      start_date: DAY,
      window: { enum: WINDOWS },
      windows: COUNT,
      ...cohort,
      cohorts: listOf(objectOf({ start_date: DAY, ...cohort })),
      mean: listOf(objectOf({ window: COUNT, users: COUNT, cohort_size: COUNT, rate: SHARE })),
      groups: listOf(objectOf({ group: GROUP_SCHEMA, ...cohort })),
    },
    ['cohorts', 'mean', 'groups'],
  )
}
