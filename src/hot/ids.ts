import { ID_BYTES } from '../event/id.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { IdTable } from './id-table.ts'
import { newestSeq } from './newest-seq.ts'

/**
 * The id of every row in the hot tier, in memory. What it knows goes up to a seq, and whoever holds SQLite's write lock brings it to the newest one; so
 * a new event costs no look into an index on disk, where each random id would change a page of its own.
 *
 * Rows that were collected went to cold, so their ids remain duplicates, and may be remembered or forgotten.
 */
export interface HotIds {
  /** Takes in rows that others have committed. Only under the write lock does it stay the last word. */
  catchUp(): void
  /**
   * Begins to take ids that nobody has stored yet; {@link keep} or {@link forget} ends it.
   * @param count at most so many
   */
  begin(count: number): void
  /** Takes the id at `offset`. Returns false if it was there. */
  take(ids: DataView, offset: number): boolean
  /** What was taken is committed, in rows up to this seq. */
  keep(through: number): void
  /** What was taken was rolled back. */
  forget(): void
  /** Remembered. */
  readonly count: number
}

/** Ids in a table before the next is begun: 16 MiB, which it takes at once. */
const TABLE_IDS = 699_050
/** Ids a page when rows of others are read. */
const PAGE_ROWS = 50_000

export function openHotIds(db: Sqlite, table_ids = TABLE_IDS): HotIds {
  const newest = newestSeq(db)
  const oldest = db.prepare('SELECT min(seq) FROM events').pluck()
  // One text for a page: SQLite joins in native code what would be an object for each row.
  const page = db.prepare(
    `SELECT max(seq) AS last, group_concat(hex(event_id), '') AS hex
       FROM (SELECT seq, event_id FROM events WHERE seq > ? ORDER BY seq LIMIT ${PAGE_ROWS})`,
  )
  let through = 0
  /** In the order of their rows; the last is the one that is filled. */
  let tables: { ids: IdTable; through: number }[] = []
  const current = () => tables.at(-1)!.ids

  function begin(count: number): void {
    if (tables.length === 0 || (current().count > 0 && current().count + count > table_ids)) {
      const first = (oldest.get() as number | null) ?? Infinity
      tables = tables.filter((table) => table.through >= first)
      tables.push({ ids: new IdTable(table_ids), through })
    }
    current().reserve(count)
  }

  function take(ids: DataView, offset: number): boolean {
    const w0 = ids.getInt32(offset)
    const w1 = ids.getInt32(offset + 4)
    const w2 = ids.getInt32(offset + 8)
    const w3 = ids.getInt32(offset + 12)
    for (let n = tables.length - 2; n >= 0; n -= 1) if (tables[n]!.ids.has(w0, w1, w2, w3)) return false
    return current().take(w0, w1, w2, w3)
  }

  function keep(last: number): void {
    through = last
    tables.at(-1)!.through = last
    current().keep()
  }

  return {
    begin,
    take,
    keep,
    catchUp() {
      const target = newest()
      while (through < target) {
        const { last, hex } = page.get(through) as { last: number | null; hex: string | null }
        const bytes = Buffer.from(hex ?? '', 'hex')
        const ids = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        begin(bytes.length / ID_BYTES)
        for (let offset = 0; offset < bytes.length; offset += ID_BYTES) take(ids, offset)
        // The newest rows may have been collected already.
        keep(last ?? target)
      }
    },
    forget: () => tables.at(-1)?.ids.forget(),
    get count() {
      return tables.reduce((sum, { ids }) => sum + ids.count, 0)
    },
  }
}
