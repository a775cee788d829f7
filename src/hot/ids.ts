import { ID_BYTES } from '../event/id.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { IdTable } from './id-table.ts'
import { newestSeq } from './newest-seq.ts'

/**
 * An in-memory set of the ids of all hot rows. It replaces a unique index on disk, in which every random id
 * would dirty a page of its own. The set is complete up to a seq; {@link catchUp} advances it.
 *
 * Ids of rows that were moved to cold may stay or be dropped, because the index of cold ids has them too.
 */
export interface HotIds {
  /**
   * Adds the ids of rows that other connections committed.
   * Complete only while the caller holds the write lock.
   */
  catchUp(): void
  /**
   * Starts a batch; {@link keep} or {@link forget} ends it.
   * @param count the maximum number of ids in the batch
   */
  begin(count: number): void
  /** Adds the id at `offset`. Returns false if it is a duplicate. */
  take(ids: DataView, offset: number): boolean
  /** The batch is committed, in rows up to this seq. */
  keep(through: number): void
  /** The batch was rolled back. */
  forget(): void
  /** Ids in memory. */
  readonly count: number
}

/** Ids per table: as many as fit into 16 MiB. */
const TABLE_IDS = 699_050
/** Ids per query in {@link HotIds.catchUp}. */
const PAGE_ROWS = 50_000

export function openHotIds(db: Sqlite, table_ids = TABLE_IDS): HotIds {
  const newest = newestSeq(db)
  const oldest = db.prepare('SELECT min(seq) FROM events').pluck()
  // One string per page: concatenating in SQLite avoids a JavaScript object per row.
  const page = db.prepare(
    `SELECT max(seq) AS last, group_concat(hex(event_id), '') AS hex
       FROM (SELECT seq, event_id FROM events WHERE seq > ? ORDER BY seq LIMIT ${PAGE_ROWS})`,
  )
  let through = 0
  /** Ordered by seq; ids are added to the last one. */
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
        // The newest rows may already have been moved to cold.
        keep(last ?? target)
      }
    },
    forget: () => tables.at(-1)?.ids.forget(),
    get count() {
      return tables.reduce((sum, { ids }) => sum + ids.count, 0)
    },
  }
}
