import { join } from 'node:path'
import type { EventBatch } from '../event/batch.ts'
import { fingerprint, formatEventId, ID_BYTES } from '../event/id.ts'
import type { Day } from '../event/time.ts'
import { readCatalog, readGeneration } from '../store/catalog.ts'
import type { ColdFile } from '../store/catalog.ts'
import { realDisk } from '../store/disk.ts'
import { openDuck, readParquetSql, sqlTextList } from '../store/duckdb.ts'
import type { Duck, DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { createFileCheck } from './file-check.ts'
import { rebuildIndex } from './id-index.ts'
import { IdSegmentError } from './id-segment.ts'
import { openSegments } from './id-segments.ts'

/**
 * Finds ids that are already in cold. The index answers "certainly new" or names the days in which an id may
 * be; the Parquet files of these days then decide.
 */
export interface ColdIds {
  /** The generation of the catalog for which the answers are valid. */
  readonly generation: number
  /**
   * Returns the indexes in the batch whose ids are in cold. The answer is exact for `generation` after the
   * call, which may be newer than before.
   * @throws if a file that may hold one of the ids cannot be read, or the last `catchUp` failed
   */
  find(batch: EventBatch): Promise<ReadonlySet<number>>
  /**
   * Whether {@link find} would have to read cold files. Its search in memory is remembered for `find`.
   */
  suspects(batch: EventBatch): boolean
  /**
   * Reads the cold files that {@link find} would read, and remembers the answer for it. May run while `find` and
   * `catchUp` run for other batches. If it fails, `find` tells why.
   */
  prepare(batch: EventBatch): Promise<void>
  /**
   * Follows the catalog to its newest generation, and rebuilds the index if it is damaged.
   * @throws {ColdFileError} if the index must be rebuilt and a cold file is damaged too; `find` then throws
   * until a later call succeeds
   */
  catchUp(): Promise<void>
  close(): void
}

export interface ColdIdsOptions {
  /** Limit for DuckDB. */
  memory_mb: number
  /** The index is incomplete or damaged and is being rebuilt. */
  onRepair: (reason: string) => void
}

const NONE: ReadonlySet<number> = new Set()
/** Not a generation of the catalog: the index is not available. */
const UNKNOWN = -1

/** @throws {ColdFileError} if the index must be rebuilt and a cold file is damaged too */
export async function openColdIds(
  db: Sqlite,
  layout: Layout,
  { memory_mb, onRepair }: ColdIdsOptions,
): Promise<ColdIds> {
  let duck: Duck | null = null
  let connection: DuckConnection | null = null
  let connecting: Promise<DuckConnection> | null = null
  let generation = UNKNOWN
  const segments = openSegments(layout)
  const filesOfDay = new Map<Day, ColdFile[]>()
  const checkFile = createFileCheck(layout)
  /** Answers found before `find` asks, and the generation for which they are valid. */
  const prepared = new WeakMap<EventBatch, { generation: number; found: ReadonlySet<number> }>()

  // Opened on first use: a service that never sees a possible
  // duplicate of a cold event does not need DuckDB here.
  async function open(): Promise<DuckConnection> {
    try {
      duck ??= await openDuck({ threads: 1, memory_mb, spill: layout.spill })
      connection = await duck.connect()
      return connection
    } catch (error) {
      connecting = null
      throw error
    }
  }
  const connect = () => (connecting ??= open())

  async function catchUp(): Promise<void> {
    for (;;) {
      if (generation === readGeneration(db)) {
        // Checked only for the newest generation: a background read may have failed because a newer catalog
        // has dropped the segment.
        if (segments.are_sound) return
        segments.close()
        generation = UNKNOWN
      }
      const catalog = db.transaction(() => readCatalog(db))()
      try {
        await segments.follow(catalog)
      } catch (error) {
        // A compaction may have merged and deleted segments during the read.
        if (readGeneration(db) !== catalog.generation) continue
        if (!(error instanceof IdSegmentError)) throw error
        await repair(catalog.generation, error)
        continue
      }
      filesOfDay.clear()
      for (const file of catalog.files) {
        const files = filesOfDay.get(file.day)
        if (files === undefined) filesOfDay.set(file.day, [file])
        else files.push(file)
      }
      generation = catalog.generation
    }
  }

  /** Rebuilds the index, unless another process did so while this one waited for the lock. */
  async function repair(damaged_generation: number, error: IdSegmentError): Promise<void> {
    onRepair(error.message)
    const lock = await waitForColdLock(layout, Infinity)
    if (lock === BUSY) throw new Error('a wait without timeout timed out')
    try {
      if (readGeneration(db) === damaged_generation)
        await rebuildIndex({ db, layout, disk: realDisk, connect })
    } finally {
      lock.release()
    }
  }

  /** Maps each id that may be in cold, by its index in the batch, to the days in which it may be. */
  function suspectsIn(batch: EventBatch): Map<number, Day[]> {
    const found = new Map<number, Day[]>()
    const opened = [...segments.answering()]
    if (opened.length === 0) return found
    const ids = Buffer.from(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    let days: Day[] = []
    for (let i = 0, at = 0; i < batch.count; i += 1, at += ID_BYTES) {
      const { low, high } = fingerprint(
        ids.readInt32BE(at),
        ids.readInt32BE(at + 4),
        ids.readInt32BE(at + 8),
        ids.readInt32BE(at + 12),
      )
      for (const segment of opened) segment.find(low, high, days)
      if (days.length === 0) continue
      found.set(i, days)
      days = []
    }
    return found
  }

  /** Returns the suspects that are in the files of their days. */
  async function confirm(
    batch: EventBatch,
    suspected: ReadonlyMap<number, Day[]>,
  ): Promise<ReadonlySet<number>> {
    const ids = Buffer.from(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    const texts = new Map([...suspected.keys()].map((i) => [i, formatEventId(ids, i * ID_BYTES)]))
    const among = filesOf(suspected.values())
    const paths = among.map((file) => join(layout.cold, file.path))
    const reader = await (
      await connect()
    ).runAndReadAll(
      `SELECT DISTINCT event_id::VARCHAR FROM ${readParquetSql(paths)}
       WHERE event_id IN (SELECT unnest(${sqlTextList([...texts.values()])}::UUID[]))`,
    )
    const present = new Set(reader.getRows().map((row) => row[0]))
    const confirmed = new Set<number>()
    const denied: Day[][] = []
    for (const [i, text] of texts) {
      if (present.has(text)) confirmed.add(i)
      else denied.push(suspected.get(i)!)
    }
    // A fingerprint collision (about once in 2^48 / ids) is no likelier than a file whose ids were altered,
    // so the files of unconfirmed suspects are verified.
    for (const file of filesOf(denied)) await checkFile(file)
    return confirmed
  }

  function filesOf(days: Iterable<readonly Day[]>): ColdFile[] {
    return [...new Set([...days].flat())].flatMap((day) => filesOfDay.get(day) ?? [])
  }

  function close(): void {
    segments.close()
    connection?.closeSync()
    duck?.close()
  }

  try {
    await catchUp()
  } catch (error) {
    close()
    throw error
  }
  return {
    get generation() {
      return generation
    },
    async find(batch) {
      for (;;) {
        if (generation === UNKNOWN) throw new Error('the index of cold ids is not available')
        const asked = generation
        const known = prepared.get(batch)
        if (known?.generation === asked) return known.found
        // Repeated after each catch-up, which may have added ids of this batch.
        const suspected = suspectsIn(batch)
        if (suspected.size === 0) return NONE
        try {
          return await confirm(batch, suspected)
        } catch (error) {
          if (readGeneration(db) === asked) throw error
          await catchUp()
        }
      }
    },
    suspects(batch) {
      if (generation === UNKNOWN) return false
      // While the catalog is followed, the open segments have at least the ids of `generation`.
      if (suspectsIn(batch).size > 0) return true
      prepared.set(batch, { generation, found: NONE })
      return false
    },
    async prepare(batch) {
      if (generation === UNKNOWN) return
      const asked = generation
      try {
        prepared.set(batch, { generation: asked, found: await confirm(batch, suspectsIn(batch)) })
      } catch {
        // A file may be damaged, or replaced by a merge meanwhile: `find` reads it again, and knows which.
      }
    },
    catchUp,
    close,
  }
}
