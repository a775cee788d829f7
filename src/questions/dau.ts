import * as v from 'valibot'
import { intervalsOf } from '../calendar/interval.ts'
import type { Interval } from '../calendar/interval.ts'
import { formatDay } from '../event/time.ts'
import type { Row } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE, MISSING_TO } from './parts/examples.ts'
import { GROUP_SCHEMA, groupColumns, GROUPING, groupOf, labelled } from './parts/groups.ts'
import type { Group } from './parts/groups.ts'
import { COUNT, DAY, listOf, markedOf, objectOf } from './parts/json-schema.ts'
import { RANGE } from './parts/parameters.ts'
import { marked } from './parts/states.ts'
import type { Incomplete } from './parts/states.ts'

export interface DauAnswer {
  from: string
  to: string
  data: DayUsers[]
  /** With `group_by`: the largest over the whole range first. */
  groups?: { group: Group; data: DayUsers[] }[]
}

/** `dau` is null if the day has not begun. */
type DayUsers = { date: string; dau: number | null } & Incomplete

const DAY_USERS = markedOf({ date: DAY }, { dau: COUNT })

export const dau = define({
  name: 'dau',
  kind: 'dau',
  title: 'Daily active users',
  text:
    'How many different users had at least one event on each day of the range, both ends included. ' +
    'With `group_by` also those of each of the largest groups; a user of two groups counts in both, and once in `data`.',
  parameters: v.object({ ...RANGE, ...GROUPING }),
  days: ({ from, to }) => ({ from, to }),
  sql({ parameters: { group_by: fields = [], groups } }, { select, interval, bind }) {
    const columns = `${interval('day')} AS n, user_id ${groupColumns(fields, bind)}`
    if (fields.length === 0)
      return `SELECT n::INTEGER, count(DISTINCT user_id)::INTEGER FROM (${select(columns)}) GROUP BY n`
    const names = ['is_other', ...fields.map((_, i) => `g${i}`)].join(', ')
    const users = 'count(DISTINCT user_id)'
    // Of all groups together, of each group, and of each group over the whole range, by which they are sorted.
    return `
      WITH e AS (${select(columns)}), labelled AS (${labelled(fields, groups, users, 'n, user_id')})
      SELECT grouping(is_other) = 1, ${names}, n::INTEGER, ${users}::INTEGER FROM labelled
      GROUP BY GROUPING SETS ((n), (${names}, n), (${names}))`
  },
  from_user_days: {
    can: ({ group_by: fields = [] }) => fields.length === 0,
    rows: ({ days: { from, to } }, days) =>
      days.active.filter((day) => day >= from && day <= to).map((day) => [day, days.countUsers(day)]),
  },
  answer({ parameters: { group_by: fields = [] }, days: { from, to }, zone, now_us }, rows): DauAnswer {
    const days = intervalsOf('day', from, to, zone, now_us)
    const range = { from: formatDay(from), to: formatDay(to) }
    if (fields.length === 0) return { ...range, data: usersOf(days, rows) }
    const [all, grouped] = [
      rows.filter(([is_all]) => is_all === true),
      rows.filter(([is_all]) => is_all !== true),
    ]
    return {
      ...range,
      data: usersOf(days, all),
      groups: grouped
        .filter((row) => row.at(-2) === null)
        .toSorted(
          (a, b) =>
            Number(a[1]) - Number(b[1]) ||
            Number(b.at(-1)) - Number(a.at(-1)) ||
            (keyOf(a) < keyOf(b) ? -1 : 1),
        )
        .map((of_range) => ({
          group: groupOf(fields, of_range.slice(1)),
          data: usersOf(
            days,
            grouped.filter((row) => row.at(-2) !== null && keyOf(row) === keyOf(of_range)),
          ),
        })),
    }
  },
  schema: {
    name: 'DailyActiveUsers',
    of: objectOf(
      {
        from: DAY,
        to: DAY,
        data: listOf(DAY_USERS),
        groups: listOf(objectOf({ group: GROUP_SCHEMA, data: listOf(DAY_USERS) })),
      },
      ['groups'],
    ),
  },
  examples: {
    dau: {
      summary: 'Three days',
      query: EXAMPLE_RANGE,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          data: [
            { date: '2025-08-01', dau: 4 },
            { date: '2025-08-02', dau: 2 },
            { date: '2025-08-03', dau: 0 },
          ],
        },
      },
    },
    dau_csv: {
      summary: 'One country, as CSV',
      query: `${EXAMPLE_RANGE}&properties.country=PL&format=csv`,
      reply: { csv: 'date,dau,incomplete\r\n2025-08-01,1,\r\n2025-08-02,1,\r\n2025-08-03,0,\r\n' },
    },
    dau_groups: {
      summary: 'By country, the largest and the rest',
      query: `from=2025-08-01&to=2025-08-01&group_by=properties.country&groups=1&format=csv`,
      reply: { csv: 'properties.country,date,dau,incomplete\r\n,2025-08-01,2,\r\nother,2025-08-01,2,\r\n' },
    },
    dau_without_to: { summary: 'A missing parameter', query: 'from=2025-08-01', reply: MISSING_TO },
  },
  csv({ data, groups }) {
    const names = Object.keys(groups?.[0]?.group ?? {})
    return [
      [...names, 'date', 'dau', 'incomplete'],
      ...(groups ?? [{ group: {} as Group, data }]).flatMap(({ group, data: own }) =>
        own.map((d) => [...names.map((name) => group[name] ?? null), d.date, d.dau, d.incomplete ?? null]),
      ),
    ]
  },
})

/** Tells the group of a row. */
const keyOf = (row: Row) => JSON.stringify(row.slice(1, -2))

/** @param rows those that end with the number of a day and its users */
function usersOf(days: readonly Interval[], rows: readonly Row[]): DayUsers[] {
  const users = new Map(rows.map((row) => [Number(row.at(-2)), Number(row.at(-1))]))
  return days.map(({ n, label, state }) => marked(state, { date: label }, { dau: users.get(n) ?? 0 }))
}
