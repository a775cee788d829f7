import { join } from 'node:path'
import type { Catalog, ColdFile, IdSegmentRow } from '../store/catalog.ts'
import type { Layout } from '../store/layout.ts'
import { isComplete } from './id-index.ts'
import { IdSegment, IdSegmentError } from './id-segment.ts'

/**
 * The open segments that answer: together they hold the id of every cold row.
 *
 * To read a segment takes a second with many ids, and nobody may store an event before its ids can be compared. So where the catalog names a segment that
 * was put together of those that answer, they go on answering, and it is read beside other work, a piece at a time.
 */
export interface Segments {
  answering(): Iterable<IdSegment>
  /**
   * Answers for this catalog when it returns. Not while another call has not returned.
   * @throws {IdSegmentError} if a segment that it waited for is damaged, or they do not hold the ids of all cold files
   */
  follow(catalog: Pick<Catalog, 'files' | 'segments'>): Promise<void>
  /** Returns when nothing is read beside other work any more. */
  settle(): Promise<void>
  /** Whether nobody has written to a segment since it was read, and none that was read beside was damaged. */
  readonly are_sound: boolean
  /** Also between two catalogs: nothing answers until the next. */
  close(): void
}

interface Opened {
  row: IdSegmentRow
  segment: IdSegment
}

export function openSegments(layout: Layout): Segments {
  let opened = new Map<string, Opened>()
  let reading = new AbortController()
  let settled = Promise.resolve()
  let beside_failed = false

  async function open(row: IdSegmentRow, signal?: AbortSignal): Promise<Opened> {
    const { path, ids, checksum } = row
    return { row, segment: await IdSegment.open(join(layout.ids, path), ids, checksum, signal) }
  }

  const missingOf = (rows: readonly IdSegmentRow[]) =>
    rows.filter(({ path }) => !opened.has(path)).toSorted((a, b) => a.ids - b.ids)

  /** From now on these answer, all of which are open; the others are closed. */
  function keep(rows: readonly IdSegmentRow[]): void {
    const kept = new Map(rows.map(({ path }) => [path, opened.get(path)!]))
    for (const [path, { segment }] of opened) if (!kept.has(path)) segment.close()
    opened = kept
  }

  function answerFor(files: readonly ColdFile[]): boolean {
    const rows = [...opened.values()].map(({ row }) => row)
    return isComplete(files, rows)
  }

  async function readBeside(rows: readonly IdSegmentRow[], signal: AbortSignal): Promise<void> {
    const read: Opened[] = []
    try {
      for (const row of missingOf(rows)) read.push(await open(row, signal))
      signal.throwIfAborted()
    } catch {
      for (const { segment } of read) segment.close()
      beside_failed = !signal.aborted
      return
    }
    for (const one of read) opened.set(one.row.path, one)
    keep(rows)
  }

  /** What is read beside other work is dropped; whoever needs it begins again. */
  async function stopReading(): Promise<void> {
    reading.abort()
    await settled
    beside_failed = false
  }

  return {
    *answering() {
      for (const { segment } of opened.values()) yield segment
    },

    async follow({ files, segments }) {
      await stopReading()
      if (!isComplete(files, segments)) throw new IdSegmentError('it does not hold the ids of all cold files')
      // The smallest first: a job adds one, and then puts others together.
      for (const row of missingOf(segments)) {
        if (answerFor(files)) {
          reading = new AbortController()
          settled = readBeside(segments, reading.signal)
          return
        }
        opened.set(row.path, await open(row))
      }
      keep(segments)
    },

    settle: () => settled,

    get are_sound() {
      return !beside_failed && [...opened.values()].every(({ segment }) => segment.is_unchanged)
    },

    close() {
      reading.abort()
      keep([])
    },
  }
}
