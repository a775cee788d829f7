import { relative } from 'node:path'
import type { Config } from '../config.ts'
import { formatDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import type { DemoClient } from './client.ts'
import { generateDay } from './generate.ts'
import type { DemoEvent } from './generate.ts'
import { writeSample } from './sample.ts'

/** The steps of the demo, and what it prints. The command starts and stops the service. */

export const DEMO_SEED = 'frostline'
export const DEMO_DAYS = 30
/** The answers that the demo prints need 8 days: the day of the cohort and the 7 after it. */
export const DEMO_DAYS_MIN = 8
export const DEMO_DAYS_MAX = 365
/** The newest days are posted over HTTP, as in production; the days before are imported. */
export const DEMO_POSTED_DAYS = 2
const SAMPLE_PATH = 'data/sample/events.csv'
const DAU_DAYS_SHOWN = 7
const RETENTION_WINDOWS = 7

export interface DemoData {
  first: Day
  last: Day
  /** Events of all but the newest days. */
  history: DemoEvent[]
  newest: DemoEvent[]
}

/**
 * @param today the last day of the data is the day before
 * @param count number of days
 */
export function makeDemoData(today: Day, count = DEMO_DAYS): DemoData {
  const last = today - 1
  const first = last - count + 1
  const days = Array.from({ length: count }, (_, i) => generateDay(DEMO_SEED, first + i))
  return {
    first,
    last,
    history: days.slice(0, -DEMO_POSTED_DAYS).flat(),
    newest: days.slice(-DEMO_POSTED_DAYS).flat(),
  }
}

export interface DemoSteps {
  client: DemoClient
  importFile(path: string): Promise<{ imported: number; duplicates: number }>
  compact(): Promise<void>
  /** Prints progress. */
  say(line: string): void
  signal: AbortSignal
}

/**
 * Imports the history and posts the rest. Returns how many events were new, and how many were
 * already stored.
 */
export async function loadDemoData(data: DemoData, steps: DemoSteps) {
  const { client, importFile, compact, say, signal } = steps
  await client.untilReady()
  writeSample(SAMPLE_PATH, data.history)
  signal.throwIfAborted()
  say(`importing ${SAMPLE_PATH}: ${data.history.length} events`)
  const imported = await importFile(SAMPLE_PATH)
  signal.throwIfAborted()
  say(`posting the last ${DEMO_POSTED_DAYS} days: ${data.newest.length} events`)
  const posted = await client.post(data.newest)
  signal.throwIfAborted()
  say('compacting')
  await compact()
  signal.throwIfAborted()
  return {
    added: imported.imported + posted.accepted,
    present: imported.duplicates + posted.duplicates,
  }
}

/** Queries the running service and formats its answers as text. */
export async function describeAnswers(data: DemoData, client: DemoClient): Promise<string> {
  const first = formatDay(data.first)
  const last = formatDay(data.last)
  const dau = await client.dau(formatDay(data.last - DAU_DAYS_SHOWN + 1), last)
  const top = await client.topEvents(first, last)
  const retention = await client.retention(formatDay(data.last - RETENTION_WINDOWS), RETENTION_WINDOWS)
  const { hot, cold } = await client.tiers()
  return [
    `Hot: ${hot.events} events of ${hot.days} ${hot.days === 1 ? 'day' : 'days'} in SQLite. ` +
      `Cold: ${cold.events} events in ${cold.files} Parquet files, ${cold.bytes} bytes.`,
    '',
    'Daily active users',
    ...dau.data.map(({ date, dau: users, incomplete }) => row(date, users, soFar(incomplete))),
    '',
    `Top events, ${first} to ${last}`,
    ...top.data.map(({ event_type, count }) => row(event_type, count)),
    '',
    `Retention of the ${retention.cohort_size} users of ${retention.start_date}`,
    ...retention.data.map(({ window, users, rate, incomplete }) =>
      row(
        `after ${window} ${window === 1 ? 'day' : 'days'}`,
        users,
        `${rate === null ? '' : `${(rate * 100).toFixed(1).padStart(5)} %`}${soFar(incomplete)}`,
      ),
    ),
  ].join('\n')
}

/** @param value null if its days have not begun */
function row(name: string, value: number | null, note = ''): string {
  return `  ${name.padEnd(14)}${String(value ?? '-').padStart(7)}  ${note}`.trimEnd()
}

function soFar(incomplete: true | undefined): string {
  return incomplete ? '  so far' : ''
}

/**
 * Returns commands to paste into another terminal, and where the files are.
 * @param program how a person runs a command
 * @param closed whether the service needs a key
 */
export function describeDoors(
  data: DemoData,
  url: string,
  config: Config,
  program: string,
  closed: boolean,
): string {
  const ask = closed ? 'curl -s -H "authorization: Bearer $KEY"' : 'curl -s'
  const range = `from=${formatDay(data.first)}&to=${formatDay(data.last)}`
  const week_ago = formatDay(data.last - RETENTION_WINDOWS)
  const below = relative('', config.DATA_DIR)
  const store = below.startsWith('..') ? config.DATA_DIR : below
  // Without it, a command works on the store of `frostline serve`.
  const onStore = `DATA_DIR=${shellWord(store)} ${program}`
  const event = {
    event_id: '6f1d7c2e-0b6a-4d0e-9c55-2f4f0a3b7e91',
    occurred_at: `${formatDay(data.last + 1)}T00:00:00Z`,
    user_id: 'me',
    event_type: 'app_open',
    properties: { country: 'PL' },
  }
  return [
    ...(closed
      ? ['Try it, with a key:', `  KEY=$(${onStore} keys create --scope ingest,read --name me)`]
      : ['Try it. Requests from this machine need no key until you create one:']),
    `  ${ask} '${url}/stats/dau?${range}'`,
    `  ${ask} '${url}/stats/dau?${range}&properties.country=PL,UA'`,
    `  ${ask} '${url}/stats/top-events?${range}&segment=properties.platform:ios'`,
    `  ${ask} '${url}/stats/retention?start_date=${week_ago}&windows=7&window=day'`,
    `  ${ask} '${url}/stats/trend?${range}&measure=users&group_by=properties.platform'`,
    `  ${ask} '${url}/stats/funnel?${range}&step=event_type:app_open&step=event_type:purchase&within=1d'`,
    `  ${ask} '${url}/tiers'`,
    `  ${ask} '${url}/events' -H 'content-type: application/json' -d '${JSON.stringify([event])}'`,
    '',
    'Other commands need the folder of this store in front:',
    `  ${onStore} tiers`,
    `  ${onStore} ask lifecycle --from ${formatDay(data.first)} --to ${formatDay(data.last)}`,
    `  ${onStore} keys create --scope admin --name me`,
    '',
    'Files:',
    `  ${SAMPLE_PATH}  the imported events (CSV)`,
    `  ${store}/frostline.db  hot events and the catalog (SQLite)`,
    `  ${store}/cold/  cold events, one folder per day (Parquet)`,
  ].join('\n')
}

/** A text as one word of a shell. */
function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
