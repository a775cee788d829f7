import { join } from 'node:path'
import { IdSegment } from '../cold/id-segment.ts'
import { fingerprint, IdDigest } from '../event/id.ts'
import { MICROS_PER_DAY } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { checkSets } from '../sets/check.ts'
import { HOT_ROWS, IS_VISIBLE } from '../store/catalog.ts'
import type { ColdFile, IdSegmentRow } from '../store/catalog.ts'
import { forEachUuid, openDuck, readParquetSql } from '../store/duckdb.ts'
import type { DuckAppender } from '../store/duckdb.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { VerifyDeps } from './finding.ts'

/**
 * The part of a deep check that reads rows. DuckDB spills to disk past its memory limit, so the
 * store can be of any size.
 */
export interface RowCheck {
  /** Copies the ids of all hot rows, and calls `read` in the same SQLite snapshot. */
  takeHotIds<T>(db: Sqlite, read: (db: Sqlite) => T): Promise<T>
  /**
   * Opens an index segment; later calls of checkFile use it.
   * @throws {IdSegmentError} if it is damaged
   */
  takeSegment(segment: IdSegmentRow): Promise<void>
  /**
   * Returns what is wrong with the rows of a file, and with its sets.
   * @param index_is_whole whether each of its ids must be in one of the segments taken
   */
  checkFile(file: ColdFile, index_is_whole: boolean): Promise<string[]>
  /**
   * Returns what is wrong with the ids of both tiers together.
   * @param complete whether `files` are all cold files; only then must each sealed hot row be in one of them
   */
  checkIds(files: readonly ColdFile[], complete: boolean): Promise<string[]>
  close(): void
}

export async function openRowCheck(
  { layout, memory_mb, threads }: Pick<VerifyDeps, 'layout' | 'memory_mb' | 'threads'>,
  store: Sqlite,
): Promise<RowCheck> {
  const duck = await openDuck({ threads, memory_mb, spill: layout.spill })
  const connection = await duck.connect()
  await connection.run('SET preserve_insertion_order = false')

  const segments = new Map<string, IdSegment>()
  const pathOf = (file: ColdFile) => join(layout.cold, file.path)

  /** Describes the ids that a query returns: their number and an example. Empty if there are none. */
  async function idsOf(sql: string, what: string): Promise<string[]> {
    const reader = await connection.runAndReadAll(`SELECT count(*)::DOUBLE, min(id)::VARCHAR FROM (${sql})`)
    const [count, example] = reader.getRows()[0] as [number, string]
    return count === 0 ? [] : [`${count} event ids ${what}, for example ${example}`]
  }

  return {
    async takeHotIds(db, read) {
      await connection.run('CREATE OR REPLACE TABLE hot (hex VARCHAR, sealed BOOLEAN)')
      const appender = await connection.createAppender('hot')
      try {
        return db.transaction(() => {
          copyHotIds(db, appender)
          return read(db)
        })()
      } finally {
        appender.closeSync()
      }
    },

    async takeSegment({ path, ids, checksum }) {
      if (!segments.has(path)) segments.set(path, await IdSegment.open(join(layout.ids, path), ids, checksum))
    },

    async checkFile(file, index_is_whole) {
      const source = readParquetSql([pathOf(file)])
      const digest = new IdDigest()
      let unknown = 0
      await forEachUuid(connection, `SELECT event_id FROM ${source}`, (w0, w1, w2, w3) => {
        digest.add(w0, w1, w2, w3)
        if (index_is_whole && !isIndexed(segments.values(), [w0, w1, w2, w3], file.day)) unknown += 1
      })
      const reader = await connection.runAndReadAll(
        `SELECT count(*) FILTER (epoch_us(occurred_at) // ${MICROS_PER_DAY} IS DISTINCT FROM ${file.day})::DOUBLE,
           epoch_us(min(occurred_at))::DOUBLE, epoch_us(max(occurred_at))::DOUBLE FROM ${source}`,
      )
      const [strangers, min_ts, max_ts] = reader.getRows()[0] as [number, number, number]
      const wrong: string[] = []
      if (digest.count !== file.rows)
        wrong.push(`has ${digest.count} rows, and the catalog says ${file.rows}`)
      if (digest.toString() !== file.id_digest) wrong.push('holds other event ids than the catalog says')
      if (strangers > 0) wrong.push(`holds ${strangers} rows of other days`)
      else if (unknown > 0) wrong.push(`holds ${unknown} event ids that are missing from the index`)
      if (min_ts !== file.min_ts || max_ts !== file.max_ts)
        wrong.push('begins or ends at another time than the catalog says')
      return [...wrong, ...(await checkSets(connection, store, file.path, pathOf(file)))]
    },

    async checkIds(files, complete) {
      const cold =
        files.length === 0
          ? 'SELECT NULL::UUID AS id WHERE false'
          : `SELECT event_id AS id FROM ${readParquetSql(files.map(pathOf))}`
      const all = `${hotIds(false)} UNION ALL ${cold}`
      try {
        const twice = await idsOf(
          `SELECT id FROM (${all}) GROUP BY id HAVING count(*) > 1`,
          'are stored more than once',
        )
        if (!complete) return twice
        const lost = await idsOf(
          `SELECT h.id FROM (${hotIds(true)}) AS h ANTI JOIN (${cold}) AS c ON h.id = c.id`,
          'are sealed in hot but missing from cold',
        )
        return [...twice, ...lost]
      } catch (error) {
        return [`cannot be compared: ${(error as Error).message}`]
      }
    },

    close() {
      for (const segment of segments.values()) segment.close()
      connection.closeSync()
      duck.close()
    },
  }
}

function isIndexed(
  segments: Iterable<IdSegment>,
  words: [number, number, number, number],
  day: Day,
): boolean {
  const { low, high } = fingerprint(...words)
  const days: Day[] = []
  for (const segment of segments) segment.find(low, high, days)
  return days.includes(day)
}

function copyHotIds(db: Sqlite, appender: DuckAppender): void {
  const rows = db
    .prepare(`SELECT e.event_id, NOT (${IS_VISIBLE}) FROM ${HOT_ROWS}`)
    .raw()
    .iterate() as IterableIterator<[Buffer, number]>
  for (const [id, sealed] of rows) {
    appender.appendVarchar(id.toString('hex'))
    appender.appendBoolean(sealed === 1)
    appender.endRow()
  }
}

/** Ids that are not UUIDs are skipped: SQLite's integrity check reports them as a violated constraint. */
function hotIds(sealed: boolean): string {
  return `SELECT * FROM (SELECT TRY_CAST(hex AS UUID) AS id FROM hot WHERE sealed = ${sealed}) WHERE id IS NOT NULL`
}
