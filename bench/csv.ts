import { closeSync, openSync, writeFileSync } from 'node:fs'
import { formatDay, formatInstant } from '../src/event/time.ts'
import { toCsv } from '../tests/support/sample.ts'
import { FIRST_DAY, largeDay, makeEvents, renewEvents } from './events.ts'

/** Writes CSV files to import. */

export function writeSmallDays(path: string, rows: number): void {
  writeFileSync(path, toCsv(makeEvents(rows).events))
}

/** Placeholder that is replaced by a new id for every row of every day. */
const NO_ID = '00000000-0000-0000-0000-000000000000'

/**
 * Generates one day and repeats it with new ids for the others. Each day becomes a separate cold file, so the
 * repetition does not improve compression.
 */
export function writeLargeDays(path: string, rows: number, days: number): void {
  const made = [...largeDay(Math.ceil(rows / days))]
    .flat()
    .map(({ at_us, ...event }) => ({ event_id: NO_ID, occurred_at: formatInstant(at_us), ...event }))
  const text = Buffer.from(toCsv(made))
  const ends: number[] = []
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) ends.push(at + 1)
  const ids = ends.slice(0, -1)
  const dates = ids.map((at) => at + NO_ID.length + 1)

  const file = openSync(path, 'w')
  const header = ends[0]!
  writeFileSync(file, text.subarray(0, header))
  for (let n = 0; n < days; n += 1) {
    const of_day = Math.floor(((n + 1) * rows) / days) - Math.floor((n * rows) / days)
    renewEvents(text, { ids, dates }, formatDay(FIRST_DAY + n))
    writeFileSync(file, text.subarray(header, ends[of_day]))
  }
  closeSync(file)
}
