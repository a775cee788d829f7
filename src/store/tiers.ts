import { formatDay } from '../event/time.ts'
import { HOT_ROWS, IS_VISIBLE, readCatalog } from './catalog.ts'
import type { Catalog } from './catalog.ts'
import type { Sqlite } from './sqlite.ts'

/** What lies in which tier; the body of `GET /tiers`. */
export interface Tiers {
  /** Visible hot rows, and how many days they belong to. */
  hot: { events: number; days: number }
  cold: {
    events: number
    files: number
    bytes: number
    days: { day: string; events: number; files: number; bytes: number; sealed_through: number }[]
  }
}

/** Reads both tiers in one snapshot. */
export function readTiers(db: Sqlite): Tiers {
  const hot = db.prepare(
    `SELECT count(*) AS events, count(DISTINCT e.day) AS days
     FROM ${HOT_ROWS} WHERE ${IS_VISIBLE}`,
  )
  return db.transaction(() => ({ hot: hot.get() as Tiers['hot'], cold: summarize(readCatalog(db)) }))()
}

function summarize(catalog: Catalog): Tiers['cold'] {
  const days = new Map(
    catalog.days.map(({ day, sealed_through }) => [
      day,
      { day: formatDay(day), events: 0, files: 0, bytes: 0, sealed_through },
    ]),
  )
  const total = { events: 0, files: 0, bytes: 0 }
  for (const file of catalog.files) {
    for (const sum of [total, days.get(file.day)!]) {
      sum.events += file.rows
      sum.files += 1
      sum.bytes += file.bytes
    }
  }
  return { ...total, days: [...days.values()] }
}
