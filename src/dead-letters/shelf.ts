import { MICROS_PER_DAY } from '../event/time.ts'
import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Letter } from './letter.ts'

/** The table of dead letters: what is kept, for how long, and how it is found again. Bounded three ways; the oldest go first. */

export interface ShelfLimits {
  letters_max: number
  bytes_max: number
  age_max_days: number
}

/** A letter as it is listed. */
export interface LetterEntry {
  id: number
  received_at: Micros
  source: string
  path: string
  message: string
  event_id: string | null
  is_cut: boolean
}

export interface KeptLetter extends LetterEntry {
  body: string
}

export interface Shelf {
  /** Keeps letters and makes room for them. Inside a transaction of the caller's. */
  put(letters: readonly Letter[], source: string, received_at: Micros): void
  /** Takes one away. Returns whether it was there. */
  take(id: number): boolean
}

/** How many of the oldest letters are looked at, and at most deleted, by one statement. */
const EVICTED_MAX = 1_000

export function openShelf(db: Sqlite, { letters_max, bytes_max, age_max_days }: ShelfLimits): Shelf {
  const last = db.prepare(
    'SELECT id, bytes_before + bytes AS bytes_through FROM dead_letters ORDER BY id DESC LIMIT 1',
  )
  const insert = db.prepare(
    `INSERT INTO dead_letters (received_at, source, path, message, event_id, body, is_cut, bytes, bytes_before)
     VALUES (@received_at, @source, @path, @message, @event_id, @body, @is_cut, @bytes, @bytes_before)`,
  )
  // Ids and sums only grow, so that both bounds are found by looking at the newest letter. What somebody took away meanwhile only makes
  // the rest live a little shorter than it might.
  const evict = db.prepare(
    `DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY id LIMIT ${EVICTED_MAX}) AND (
       id <= @id - @letters_max OR bytes_before < @bytes_through - @bytes_max OR received_at < @since)`,
  )
  const remove = db.prepare('DELETE FROM dead_letters WHERE id = ?')

  return {
    put(letters, source, received_at) {
      if (letters.length === 0) return
      let { bytes_through } = (last.get() as { bytes_through: number } | undefined) ?? { bytes_through: 0 }
      for (const letter of letters) {
        const bytes = Buffer.byteLength(letter.body)
        insert.run({
          ...letter,
          is_cut: letter.is_cut ? 1 : 0,
          received_at,
          source,
          bytes,
          bytes_before: bytes_through,
        })
        bytes_through += bytes
      }
      const { id } = last.get() as { id: number }
      const since = received_at - age_max_days * MICROS_PER_DAY
      while (evict.run({ id, letters_max, bytes_through, bytes_max, since }).changes === EVICTED_MAX);
    },
    take: (id) => remove.run(id).changes === 1,
  }
}

export interface LetterFilter {
  /** A field, or a whole message. */
  reason?: string
  /** Only letters older than this id. */
  before?: number
  limit: number
}

const ENTRY = 'id, received_at, source, path, message, event_id, is_cut'

/** Newest first. */
export function listLetters(db: Sqlite, { reason, before, limit }: LetterFilter): LetterEntry[] {
  const rows = db
    .prepare(
      `SELECT ${ENTRY} FROM dead_letters
       WHERE id < coalesce(@before, id + 1) AND (@reason IS NULL OR path = @reason OR message = @reason)
       ORDER BY id DESC LIMIT @limit`,
    )
    .all({ before: before ?? null, reason: reason ?? null, limit })
  return (rows as (Omit<LetterEntry, 'is_cut'> & { is_cut: number })[]).map(asEntry)
}

export function findLetter(db: Sqlite, id: number): KeptLetter | null {
  const row = db.prepare(`SELECT ${ENTRY}, body FROM dead_letters WHERE id = ?`).get(id)
  return row === undefined ? null : asEntry(row as Omit<KeptLetter, 'is_cut'> & { is_cut: number })
}

function asEntry<T extends { is_cut: number }>(row: T): Omit<T, 'is_cut'> & { is_cut: boolean } {
  return { ...row, is_cut: row.is_cut === 1 }
}

/** Counting reads every letter: 10,000 of 300 bytes are 3 ms, and 8 MiB as well. */
export const COUNTED_MAX = 10_000
export const COUNTED_BYTES_MAX = 8 * 1024 * 1024

/** How many there are, and their bytes. Of more than that one by one, those taken out from between others are among them. */
export function sizeOfShelf(db: Sqlite): { letters: number; bytes: number } {
  const place = 'SELECT id, bytes_before, bytes FROM dead_letters ORDER BY id'
  const read = db.transaction(() => {
    const oldest = db.prepare(`${place} LIMIT 1`).get() as Place | undefined
    if (oldest === undefined) return { letters: 0, bytes: 0 }
    const newest = db.prepare(`${place} DESC LIMIT 1`).get() as Place
    const letters = newest.id - oldest.id + 1
    const bytes = newest.bytes_before + newest.bytes - oldest.bytes_before
    if (letters > COUNTED_MAX || bytes > COUNTED_BYTES_MAX) return { letters, bytes }
    return db.prepare('SELECT count(*) AS letters, sum(bytes) AS bytes FROM dead_letters').get()
  })
  return read() as { letters: number; bytes: number }
}

interface Place {
  id: number
  bytes_before: number
  bytes: number
}
