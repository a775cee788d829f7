import type { Day } from '../../event/time.ts'
import type { Asked, Row } from './asked.ts'
import { offsetsOf, startOf } from './retention-windows.ts'
import type { RetentionParameters } from './retention-windows.ts'
import { byInterval } from './user-days.ts'
import type { FromUserDays, UserDays } from './user-days.ts'

/** Retention by whole days, from the users of each. The rows are those of retention-sql.ts. */
export const retentionFromDays: FromUserDays<RetentionParameters> = {
  can: ({ window, cohort, start, return: back, group_by: fields = [] }) =>
    window !== '24h' &&
    cohort === 'active' &&
    start === undefined &&
    back === undefined &&
    fields.length === 0,
  rows(asked, days) {
    const { cohorts } = asked.parameters
    const windows = windowsOf(asked, days)
    return Array.from({ length: cohorts }, (_, c) =>
      cohortRows(asked.parameters, c, windows, days.numbers),
    ).flat()
  },
}

/** The users of each window, counted from the first of the first cohort. */
function windowsOf(
  { parameters: p, days: { from, to } }: Asked<RetentionParameters>,
  days: UserDays,
): Uint32Array[] {
  const starts = Array.from({ length: p.windows + p.cohorts + 1 }, (_, i) => startOf(p, i))
  const windowOf = (day: Day) => starts.findLastIndex((start) => start <= day)
  const found = byInterval(days, from, to, windowOf)
  return starts.slice(0, -1).map((_, w) => days.users(found.get(w) ?? []))
}

function cohortRows(
  p: RetentionParameters,
  c: number,
  windows: readonly Uint32Array[],
  numbers: number,
): Row[] {
  const last = p.kind === 'bracket' ? p.brackets!.length : p.windows
  /** Of each user: 1 for one of the cohort, then 1 more than the entry for which the user was last counted. */
  const marks = new Uint16Array(numbers)
  const cohort = windows[c]!
  for (const user of cohort) marks[user] = 1
  const rows: Row[] = [['all', c, 0, cohort.length]]
  for (let entry = last; entry >= 1; entry -= 1) {
    // Of an unbounded one, a row says in which window users were last back.
    const [first, end] = p.kind === 'unbounded' ? [entry, entry] : offsetsOf(p, entry)
    let back = 0
    for (let offset = first; offset <= end; offset += 1) {
      for (const user of windows[c + offset]!) {
        const mark = marks[user]!
        if (mark === 0 || mark === entry + 1 || (p.kind === 'unbounded' && mark > 1)) continue
        marks[user] = entry + 1
        back += 1
      }
    }
    if (back > 0) rows.push(['all', c, entry, back])
  }
  return cohort.length === 0 ? [] : rows
}
