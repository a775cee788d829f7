import { join } from 'node:path'
import type { EventBatch } from '../event/batch.ts'
import { fingerprint, formatEventId, ID_BYTES } from '../event/id.ts'
import type { Day } from '../event/time.ts'
import { readCatalog, readGeneration } from '../store/catalog.ts'
import type { ColdFile } from '../store/catalog.ts'
import { realDisk } from '../store/disk.ts'
import { openDuck, sqlTextList } from '../store/duckdb.ts'
import type { Duck, DuckConnection } from '../store/duckdb.ts'
import type { Layout } from '../store/layout.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import type { Sqlite } from '../store/sqlite.ts'
import { createFileCheck } from './file-check.ts'
import { rebuildIndex } from './id-index.ts'
import { IdSegmentError } from './id-segment.ts'
import { openSegments } from './segments.ts'

/** Which ids are already in cold. The index says "certainly new" or names the days to look at; those are then read. */
export interface ColdIds {
  /** The catalog's generation that the answers hold for. */
  readonly generation: number
  /**
   * Positions in the batch whose ids are in cold. Exact for the generation after the call, which may be a later one than before.
   * @throws if a file cannot be read in which one of them may stand, or after a `catchUp` that failed
   */
  find(batch: EventBatch): Promise<ReadonlySet<number>>
  /**
   * Takes in what the catalog has gained since, and reads again what somebody has written to.
   * @throws {ColdFileError} if the index has to be made anew and a cold file is damaged too: until a later call succeeds nobody knows the ids
   */
  catchUp(): Promise<void>
  close(): void
}

export interface ColdIdsOptions {
  /** For DuckDB. */
  memory_mb: number
  /** The index was not whole and is being made anew. */
  onRepair: (reason: string) => void
}

const NONE: ReadonlySet<number> = new Set()
/** No generation of a catalog: nothing can be answered. */
const UNKNOWN = -1

/** @throws {ColdFileError} if the index has to be made anew and a cold file is damaged too: then nobody knows the ids */
export async function openColdIds(
  db: Sqlite,
  layout: Layout,
  { memory_mb, onRepair }: ColdIdsOptions,
): Promise<ColdIds> {
  let duck: Duck | null = null
  let connection: DuckConnection | null = null
  let generation = UNKNOWN
  const segments = openSegments(layout)
  const filesOfDay = new Map<Day, ColdFile[]>()
  const checkFile = createFileCheck(layout)

  // Opened when first needed: a service without replays of cold days never pays for it.
  async function connect(): Promise<DuckConnection> {
    duck ??= await openDuck({ threads: 1, memory_mb, spill: layout.spill })
    return (connection ??= await duck.connect())
  }

  async function catchUp(): Promise<void> {
    for (;;) {
      if (generation === readGeneration(db)) {
        // Asked only now: what could not be read beside may be gone because a later catalog has no need of it.
        if (segments.are_sound) return
        segments.close()
        generation = UNKNOWN
      }
      const catalog = db.transaction(() => readCatalog(db))()
      try {
        await segments.follow(catalog)
      } catch (error) {
        // A compaction may have put segments together and deleted them while we read.
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

  /** Makes the index anew, unless another process has by the time it is our turn. */
  async function repair(damaged_generation: number, error: IdSegmentError): Promise<void> {
    onRepair(error.message)
    const lock = await waitForColdLock(layout, Infinity)
    if (lock === BUSY) throw new Error('waited for ever')
    try {
      if (readGeneration(db) === damaged_generation)
        await rebuildIndex({ db, layout, disk: realDisk, connect })
    } finally {
      lock.release()
    }
  }

  /** The days under which each id may stand in cold, by position; nothing for those that are certainly new. */
  function suspects(batch: EventBatch): Map<number, Day[]> {
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

  /** Which of the suspects really stand in the files of their days. */
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
      `SELECT DISTINCT event_id::VARCHAR FROM read_parquet(${sqlTextList(paths)})
       WHERE event_id IN (SELECT unnest(${sqlTextList([...texts.values()])}::UUID[]))`,
    )
    const present = new Set(reader.getRows().map((row) => row[0]))
    const confirmed = new Set<number>()
    const denied: Day[][] = []
    for (const [i, text] of texts) {
      if (present.has(text)) confirmed.add(i)
      else denied.push(suspected.get(i)!)
    }
    // Two ids have the same 48 bits about once in 2^48 / ids; a file in which an id is no longer what it was is as likely a reason.
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
        if (generation === UNKNOWN) throw new Error('the ids in cold are not known')
        const asked = generation
        // Anew after each catch-up: it may have brought in ids of this batch that were certainly new before.
        const suspected = suspects(batch)
        if (suspected.size === 0) return NONE
        try {
          return await confirm(batch, suspected)
        } catch (error) {
          if (readGeneration(db) === asked) throw error
          await catchUp()
        }
      }
    },
    catchUp,
    close,
  }
}
