/** The questions of the benchmark `questions`, and the SQL that a person would write for them by hand. */

/** What differs between DuckDB and ClickHouse. */
export interface Dialect {
  /** The relation events(day, at_us, user_id, event_type, properties). */
  events: string
  /** A day as text. */
  text(day: string): string
  /** Integer division. */
  divide(number: string, by: number): string
  /** A top-level property as text. */
  property(key: string): string
  /** The top-level keys of the properties, one row each. */
  keys: string
  /** Rows (user_id, day, k): each row of a relation 30 times, with k from 0 to 29. */
  thirtyTimes(relation: string): string
  /** The column of the row before or after in its window; NULL where there is none. */
  neighbour(which: 'lag' | 'lead', column: string, over: string): string
  /** Rows (step, users) of users who took three kinds of steps in this order within a time. */
  funnel(steps: readonly [string, string, string], within_us: number): string
}

type Range = Readonly<{ from: string; to: string }>
/** The data of an answer; its shape depends on the question. */
type Answer = Readonly<Record<string, unknown>>
type Item = Readonly<Record<string, unknown>>

export interface PlainQuestion {
  label: string
  name: string
  parameters(range: Range): Record<string, string> | string
  /** What is compared with the rows of `sql`. The order does not matter. */
  rows(answer: Answer): unknown[][]
  sql(dialect: Dialect, range: Range): string
}

const HOUR_US = 3_600_000_000
const DAY_US = 24 * HOUR_US
const dataOf = (answer: Answer) => answer['data'] as Item[]
const pick =
  (...names: string[]) =>
  (answer: Answer) =>
    dataOf(answer).map((item) => names.map((name) => item[name]))
const whole = ({ from, to }: Range) => ({ from, to })

/** Windows of the retention that is asked. */
const WINDOWS = 7

export const PLAIN_QUESTIONS: readonly PlainQuestion[] = [
  {
    label: 'dau',
    name: 'dau',
    parameters: whole,
    rows: pick('date', 'dau'),
    sql: (d) => `SELECT ${d.text('day')}, count(DISTINCT user_id) FROM ${d.events} GROUP BY day`,
  },
  {
    label: 'dau of one country',
    name: 'dau',
    parameters: (range) => ({ ...range, 'properties.country': 'PL' }),
    rows: pick('date', 'dau'),
    sql: (d) =>
      `SELECT ${d.text('day')}, count(DISTINCT user_id) FROM ${d.events} WHERE ${d.property('country')} = 'PL' GROUP BY day`,
  },
  {
    label: 'top-events',
    name: 'top-events',
    parameters: whole,
    rows: pick('event_type', 'count'),
    sql: (d) =>
      `SELECT event_type, count(*) FROM ${d.events} GROUP BY event_type ORDER BY 2 DESC, 1 LIMIT 10`,
  },
  {
    label: 'active-users',
    name: 'active-users',
    parameters: whole,
    rows: pick('date', 'dau', 'wau', 'mau'),
    sql: (d, { to }) =>
      `SELECT ${d.text('day + k')}, count(DISTINCT CASE WHEN k = 0 THEN user_id END), count(DISTINCT CASE WHEN k < 7 THEN user_id END), count(DISTINCT user_id)
       FROM (${d.thirtyTimes(`(SELECT DISTINCT user_id, day FROM ${d.events})`)}) AS t WHERE day + k <= '${to}' GROUP BY day + k`,
  },
  {
    label: 'trend of events by hour',
    name: 'trend',
    parameters: (range) => ({ ...range, interval: 'hour', measure: 'events' }),
    rows: (answer) => valuesOf(answer).map(({ value }) => [value]),
    sql: (d) => `SELECT count(*) FROM ${d.events} GROUP BY ${d.divide('at_us', HOUR_US)}`,
  },
  {
    label: 'trend of users by platform',
    name: 'trend',
    parameters: (range) => ({ ...range, measure: 'users', group_by: 'properties.platform' }),
    rows: (answer) => valuesOf(answer).map(({ group, time, value }) => [time, group, value]),
    sql: (d) =>
      `SELECT ${d.text('day')}, p, count(DISTINCT user_id) FROM (SELECT day, user_id, ${d.property('platform')} AS p FROM ${d.events}) AS t GROUP BY day, p`,
  },
  {
    label: 'retention of 7 days',
    name: 'retention',
    parameters: ({ from }) => ({ start_date: from, windows: String(WINDOWS) }),
    rows: (answer) => pick('window', 'users')(answer).filter(([, users]) => users !== 0),
    sql: (d, { from }) =>
      `WITH a AS (SELECT DISTINCT user_id, day - CAST('${from}' AS Date) AS w FROM ${d.events} WHERE day - CAST('${from}' AS Date) <= ${WINDOWS})
       SELECT w, count(*) FROM a WHERE w > 0 AND user_id IN (SELECT user_id FROM a WHERE w = 0) GROUP BY w`,
  },
  {
    label: 'stickiness',
    name: 'stickiness',
    parameters: whole,
    rows: (answer) => pick('intervals', 'users')(answer).filter(([, users]) => users !== 0),
    sql: (d) =>
      `SELECT n, count(*) FROM (SELECT count(DISTINCT day) AS n FROM ${d.events} GROUP BY user_id) AS t GROUP BY n`,
  },
  {
    label: 'lifecycle',
    name: 'lifecycle',
    parameters: whole,
    rows: pick('time', 'new', 'returning', 'resurrected', 'dormant'),
    sql: (d, { to }) => {
      const over = '(PARTITION BY user_id ORDER BY day)'
      return `WITH u AS (SELECT DISTINCT user_id, day FROM ${d.events}),
        w AS (SELECT day, ${d.neighbour('lag', 'day', over)} AS before, ${d.neighbour('lead', 'day', over)} AS later FROM u)
        SELECT ${d.text('on_day')}, sum(n), sum(r), sum(s), sum(x) FROM (
          SELECT day AS on_day, CASE WHEN before IS NULL THEN 1 ELSE 0 END AS n, CASE WHEN before = day - 1 THEN 1 ELSE 0 END AS r,
            CASE WHEN before < day - 1 THEN 1 ELSE 0 END AS s, 0 AS x FROM w
          UNION ALL SELECT day + 1, 0, 0, 0, 1 FROM w WHERE (later IS NULL OR later > day + 1) AND day < '${to}') AS t GROUP BY on_day`
    },
  },
  {
    label: 'sessions',
    name: 'sessions',
    parameters: whole,
    rows: pick('time', 'sessions', 'users'),
    sql: (d) =>
      `SELECT ${d.text('day')}, count(*), count(DISTINCT user_id) FROM (
         SELECT day, user_id, at_us - ${d.neighbour('lag', 'at_us', '(PARTITION BY user_id ORDER BY at_us)')} AS rest FROM ${d.events}) AS t
       WHERE rest IS NULL OR rest > ${HOUR_US / 2} GROUP BY day`,
  },
  {
    label: 'funnel of three steps',
    name: 'funnel',
    parameters: ({ from, to }) =>
      `from=${from}&to=${to}&within=1d&step=event_type:app_open&step=event_type:view_item&step=event_type:purchase`,
    rows: (answer) => dataOf(answer).map(({ users }, step) => [step, users]),
    sql: (d) => d.funnel(['app_open', 'view_item', 'purchase'], DAY_US),
  },
  {
    label: 'paths, two steps',
    name: 'paths',
    parameters: (range) => ({ ...range, start: 'event_type:app_open', depth: '2', top: '20' }),
    rows: (answer) => (answer['links'] as Item[]).map(({ step, from, to, users }) => [step, from, to, users]),
    sql: (d) =>
      `WITH e AS (SELECT user_id, event_type, row_number() OVER (PARTITION BY user_id ORDER BY at_us) AS r FROM ${d.events}),
        s AS (SELECT user_id, min(r) AS first FROM e WHERE event_type = 'app_open' GROUP BY user_id),
        p AS (SELECT e.user_id AS user_id, e.event_type AS event_type, CAST(e.r AS BIGINT) - CAST(s.first AS BIGINT) AS step
              FROM e JOIN s ON e.user_id = s.user_id WHERE e.r >= s.first AND e.r <= s.first + 2)
        SELECT b.step, a.event_type, b.event_type, count(*) FROM p AS a JOIN p AS b ON a.user_id = b.user_id
        WHERE b.step = a.step + 1 GROUP BY b.step, a.event_type, b.event_type`,
  },
  {
    label: 'event-types',
    name: 'event-types',
    parameters: whole,
    rows: pick('event_type', 'count', 'users'),
    sql: (d) => `SELECT event_type, count(*), count(DISTINCT user_id) FROM ${d.events} GROUP BY event_type`,
  },
  {
    label: 'properties',
    name: 'properties',
    parameters: whole,
    rows: pick('property', 'count'),
    sql: (d) => `SELECT k, count(*) FROM (SELECT ${d.keys} AS k FROM ${d.events}) AS t GROUP BY k`,
  },
  {
    label: 'property-values',
    name: 'property-values',
    parameters: (range) => ({ ...range, property: 'properties.country' }),
    rows: pick('value', 'count'),
    sql: (d) =>
      `SELECT ${d.property('country')} AS c, count(*) FROM ${d.events} GROUP BY c ORDER BY 2 DESC LIMIT 100`,
  },
]

/** The values of a trend that are not zero. */
function valuesOf(answer: Answer): { group: unknown; time: unknown; value: number }[] {
  const times = answer['times'] as string[]
  const series = answer['series'] as { group: Item; values: number[] }[]
  return series.flatMap(({ group, values }) =>
    values.flatMap((value, i) =>
      value === 0 ? [] : [{ group: Object.values(group)[0], time: times[i], value }],
    ),
  )
}

/** Rows of any engine as lines that can be compared. */
export function linesOf(rows: readonly (readonly unknown[])[]): string[] {
  return rows.map((row) => row.map(String).join('\t')).toSorted()
}

const stepOf = (type: string) => `(SELECT user_id, at_us FROM events WHERE event_type = '${type}')`

export const DUCKDB: Dialect = {
  events: 'events',
  text: (day) => `strftime(${day}, '%Y-%m-%d')`,
  divide: (number, by) => `${number} // ${by}`,
  property: (key) => `json_extract_string(properties, '$.${key}')`,
  keys: 'unnest(json_keys(properties))',
  thirtyTimes: (relation) => `SELECT user_id, day, k::INTEGER AS k FROM ${relation} AS u, range(30) AS r(k)`,
  neighbour: (which, column, over) => `${which}(${column}) OVER ${over}`,
  funnel([first, second, third], within_us) {
    return `WITH two AS (SELECT a.user_id, a.at_us AS t0, b.at_us AS t1 FROM ${stepOf(first)} a
              ASOF LEFT JOIN ${stepOf(second)} b ON a.user_id = b.user_id AND a.at_us < b.at_us),
            three AS (SELECT two.*, c.at_us AS t2 FROM two ASOF LEFT JOIN ${stepOf(third)} c ON two.user_id = c.user_id AND two.t1 < c.at_us)
            SELECT 0, count(DISTINCT user_id) FROM three
            UNION ALL SELECT 1, count(DISTINCT user_id) FROM three WHERE t1 - t0 <= ${within_us}
            UNION ALL SELECT 2, count(DISTINCT user_id) FROM three WHERE t1 - t0 <= ${within_us} AND t2 - t0 <= ${within_us}`
  },
}

export const CLICKHOUSE: Dialect = {
  events:
    '(SELECT day, toInt64(toUnixTimestamp64Micro(occurred_at)) AS at_us, user_id, event_type, properties FROM bench.events) AS events',
  text: (day) => `toString(${day})`,
  divide: (number, by) => `intDiv(${number}, ${by})`,
  property: (key) => `JSONExtractString(properties, '${key}')`,
  keys: 'arrayJoin(JSONExtractKeys(properties))',
  thirtyTimes: (relation) => `SELECT user_id, day, k FROM ${relation} AS u ARRAY JOIN range(30) AS k`,
  neighbour: (which, column, over) => `${which}(toNullable(${column})) OVER ${over}`,
  funnel(steps, within_us) {
    const tests = steps.map((type) => `event_type = '${type}'`).join(', ')
    const depth = `SELECT windowFunnel(${within_us})(toUInt64(at_us), ${tests}) AS depth FROM ${this.events} GROUP BY user_id`
    return `WITH d AS (${depth}) SELECT * FROM (${steps.map((_, i) => `SELECT ${i}, countIf(depth > ${i}) FROM d`).join(' UNION ALL ')})`
  },
}
