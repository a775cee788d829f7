import { join } from 'node:path'
import type { Catalog, ColdFile, IdSegmentRow } from '../store/catalog.ts'
import type { Layout } from '../store/layout.ts'
import { isComplete } from './id-index.ts'
import { IdSegment, IdSegmentError } from './id-segment.ts'

/**
 * The open segments of the index. Together they hold the id of every cold row.
 *
 * Reading a large segment takes about a second, and no event can be stored until its id can be checked. So if
 * the catalog lists a segment that was merged from open ones, the open ones stay in use while the new one is
 * read in the background, one chunk per turn of the event loop.
 */
export interface Segments {
  /** The segments to search. */
  answering(): Iterable<IdSegment>
  /**
   * Opens what is needed to answer for this catalog. Calls must not overlap.
   * @throws {IdSegmentError} if a segment that it has to read is damaged, or ids of cold files are missing
   */
  follow(catalog: Pick<Catalog, 'files' | 'segments'>): Promise<void>
  /** Waits for background reads. */
  settle(): Promise<void>
  /** False if an open segment was modified on disk, or a background read failed. */
  readonly are_sound: boolean
  /** Closes all segments. {@link follow} may be called again. */
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
  let background_failed = false

  async function open(row: IdSegmentRow, signal?: AbortSignal): Promise<Opened> {
    const { path, ids, checksum } = row
    return { row, segment: await IdSegment.open(join(layout.ids, path), ids, checksum, signal) }
  }

  const missingOf = (rows: readonly IdSegmentRow[]) =>
    rows.filter(({ path }) => !opened.has(path)).toSorted((a, b) => a.ids - b.ids)

  /** Keeps these segments, which must be open, and closes the others. */
  function keep(rows: readonly IdSegmentRow[]): void {
    const kept = new Map(rows.map(({ path }) => [path, opened.get(path)!]))
    for (const [path, { segment }] of opened) if (!kept.has(path)) segment.close()
    opened = kept
  }

  function answerFor(files: readonly ColdFile[]): boolean {
    const rows = [...opened.values()].map(({ row }) => row)
    return isComplete(files, rows)
  }

  async function readInBackground(rows: readonly IdSegmentRow[], signal: AbortSignal): Promise<void> {
    const read: Opened[] = []
    try {
      for (const row of missingOf(rows)) read.push(await open(row, signal))
      signal.throwIfAborted()
    } catch {
      for (const { segment } of read) segment.close()
      background_failed = !signal.aborted
      return
    }
    for (const one of read) opened.set(one.row.path, one)
    keep(rows)
  }

  /** Cancels the background read. */
  async function stopReading(): Promise<void> {
    reading.abort()
    await settled
    background_failed = false
  }

  return {
    *answering() {
      for (const { segment } of opened.values()) yield segment
    },

    async follow({ files, segments }) {
      await stopReading()
      if (!isComplete(files, segments))
        throw new IdSegmentError('the index does not hold the ids of all cold files')
      // Smallest first: a job adds a small segment and then merges others, so few have to be read before the
      // open segments are complete.
      for (const row of missingOf(segments)) {
        if (answerFor(files)) {
          reading = new AbortController()
          settled = readInBackground(segments, reading.signal)
          return
        }
        opened.set(row.path, await open(row))
      }
      keep(segments)
    },

    settle: () => settled,

    get are_sound() {
      return !background_failed && [...opened.values()].every(({ segment }) => segment.is_unchanged)
    },

    close() {
      reading.abort()
      keep([])
    },
  }
}
