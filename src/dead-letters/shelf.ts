import { MICROS_PER_DAY } from '../event/time.ts'
import type { Micros } from '../event/time.ts'
import type { Sqlite } from '../store/sqlite.ts'
import type { Letter } from './letter.ts'

/**
 * The table of dead letters. Their number, bytes and age are limited. Over a limit, the source that holds
 * most loses its oldest letters first, so that no source can push out the letters of another.
 */

export interface ShelfLimits {
  letters_max: number
  bytes_max: number
  age_max_days: number
}

/** A letter without its body. */
export interface LetterEntry extends Omit<Letter, 'body'> {
  id: number
  received_at: Micros
  /** Who sent it: a key, a user or a network address. */
  source: string
}

export interface KeptLetter extends LetterEntry {
  body: string
}

export interface Shelf {
  /** Inserts letters and evicts others. The caller holds a transaction. */
  put(letters: readonly Letter[], source: string, received_at: Micros): void
  /** Deletes a letter. Returns whether it existed. */
  take(id: number): boolean
}

/** Letters that are read to be evicted at a time. */
const EVICTED_MAX = 1_000

/** What is limited over all sources. */
type Limited = 'letters' | 'bytes'
type Size = Record<Limited, number>
type Evicted = Pick<LetterEntry, 'id' | 'source'> & { bytes: number }

export function openShelf(db: Sqlite, { letters_max, bytes_max, age_max_days }: ShelfLimits): Shelf {
  const insert = db.prepare(
    `INSERT INTO dead_letters (received_at, source, path, message, event_id, is_cut, events_omitted, bytes, body)
     VALUES (@received_at, @source, @path, @message, @event_id, @is_cut, @events_omitted, @bytes, @body)`,
  )
  const remove = db.prepare<[number], Evicted>(
    'DELETE FROM dead_letters WHERE id = ? RETURNING id, source, bytes',
  )
  const aged = db.prepare<[Micros], Evicted>(
    `SELECT id, source, bytes FROM (SELECT * FROM dead_letters ORDER BY id LIMIT ${EVICTED_MAX}) WHERE received_at < ?`,
  )
  const oldestOf = db.prepare<[string], Evicted>(
    `SELECT id, source, bytes FROM dead_letters WHERE source = ? ORDER BY id LIMIT ${EVICTED_MAX}`,
  )
  const largestBy = (limited: Limited) =>
    db.prepare<[], { source: string } & Size>(
      `SELECT source, letters, bytes FROM dead_letter_sources ORDER BY ${limited} DESC LIMIT 2`,
    )
  const largest = { letters: largestBy('letters'), bytes: largestBy('bytes') }
  const countSource = db.prepare(
    `INSERT INTO dead_letter_sources (source, letters, bytes) VALUES (@source, @letters, @bytes)
     ON CONFLICT DO UPDATE SET letters = letters + excluded.letters, bytes = bytes + excluded.bytes`,
  )
  const countAll = db.prepare(
    'UPDATE dead_letter_totals SET letters = letters + @letters, bytes = bytes + @bytes',
  )
  const dropSource = db.prepare('DELETE FROM dead_letter_sources WHERE source = ? AND letters = 0')

  /** Adds to the counts of a source and of all; negative for deleted letters. */
  function count(source: string, letters: number, bytes: number): void {
    countSource.run({ source, letters, bytes })
    countAll.run({ letters, bytes })
    if (letters < 0) dropSource.run(source)
  }

  function evict(letters: readonly Evicted[]): void {
    const sizes = new Map<string, Size>()
    for (const { id, source, bytes } of letters) {
      remove.run(id)
      const size = sizes.get(source)
      if (size === undefined) sizes.set(source, { letters: 1, bytes })
      else {
        size.letters += 1
        size.bytes += bytes
      }
    }
    for (const [source, size] of sizes) count(source, -size.letters, -size.bytes)
  }

  /** The oldest letters of the largest source, as many as make it no larger than the next. */
  function excessOf(limited: Limited, over: number): Evicted[] {
    const [first, second] = largest[limited].all()
    if (first === undefined) return []
    const wanted = Math.min(over, Math.max(1, first[limited] - (second?.[limited] ?? 0)))
    const letters = oldestOf.all(first.source)
    let freed = 0
    const end = letters.findIndex(({ bytes }) => {
      freed += limited === 'letters' ? 1 : bytes
      return freed >= wanted
    })
    return end === -1 ? letters : letters.slice(0, end + 1)
  }

  function excess(): Evicted[] {
    const { letters, bytes } = sizeOfShelf(db)
    if (letters > letters_max) return excessOf('letters', letters - letters_max)
    return bytes > bytes_max ? excessOf('bytes', bytes - bytes_max) : []
  }

  function evictAll(find: () => Evicted[]): void {
    for (let letters = find(); letters.length > 0; letters = find()) evict(letters)
  }

  return {
    put(letters, source, received_at) {
      if (letters.length === 0) return
      let bytes_put = 0
      for (const letter of letters) {
        const bytes = Buffer.byteLength(letter.body)
        insert.run({ ...letter, is_cut: letter.is_cut ? 1 : 0, received_at, source, bytes })
        bytes_put += bytes
      }
      count(source, letters.length, bytes_put)
      const since = received_at - age_max_days * MICROS_PER_DAY
      evictAll(() => aged.all(since))
      evictAll(excess)
    },
    take: db.transaction((id: number) => {
      const taken = remove.get(id)
      if (taken !== undefined) count(taken.source, -1, -taken.bytes)
      return taken !== undefined
    }),
  }
}

export interface LetterFilter {
  /** Matches a letter's `path`, or its whole `message`. */
  reason?: string
  /** Only letters older than this id. */
  before?: number
  limit: number
}

const ENTRY = 'id, received_at, source, path, message, event_id, is_cut, events_omitted'

/** A letter as SQLite holds it. */
type RowOf<T> = Omit<T, 'is_cut'> & { is_cut: number }

/** SQL of the newest ids before `@until`. Reads no more of its index than it returns. */
function newest(condition: string): string {
  return `SELECT id FROM dead_letters WHERE ${condition} AND id < @until ORDER BY id DESC LIMIT @limit`
}

const OF_ALL = newest('true')
const OF_REASON = `SELECT id FROM (${newest('path = @reason')})
                   UNION SELECT id FROM (${newest('message = @reason')})`

/** Lists letters, newest first. Never reads many more than it returns. */
export function listLetters(db: Sqlite, { reason, before, limit }: LetterFilter): LetterEntry[] {
  const rows = db
    .prepare<[object], RowOf<LetterEntry>>(
      `SELECT ${ENTRY} FROM dead_letters WHERE id IN (${reason === undefined ? OF_ALL : OF_REASON})
       ORDER BY id DESC LIMIT @limit`,
    )
    .all({ until: before ?? Number.MAX_SAFE_INTEGER, limit, ...(reason === undefined ? {} : { reason }) })
  return rows.map(asEntry)
}

export function findLetter(db: Sqlite, id: number): KeptLetter | null {
  const row = db
    .prepare<[number], RowOf<KeptLetter>>(`SELECT ${ENTRY}, body FROM dead_letters WHERE id = ?`)
    .get(id)
  return row === undefined ? null : asEntry(row)
}

function asEntry<T extends { is_cut: number }>(row: T): Omit<T, 'is_cut'> & { is_cut: boolean } {
  return { ...row, is_cut: row.is_cut === 1 }
}

/** Counts letters and their bytes; does not read them. */
export function sizeOfShelf(db: Sqlite): Size {
  return db.prepare('SELECT letters, bytes FROM dead_letter_totals').get() as Size
}
