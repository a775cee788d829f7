import { join } from 'node:path'
import { openDuck, forEachUuid, sqlText, sqlTextList } from '../duckdb.ts'
import type { Duck, DuckConnection } from '../duckdb.ts'
import { fingerprint, formatEventId, ID_BYTES, IdDigest } from '../event-id.ts'
import type { EventBatch } from '../hot/batch.ts'
import type { Layout } from '../layout.ts'
import type { Sqlite } from '../sqlite.ts'
import { dayOf } from '../time.ts'
import { readCatalog, readGeneration } from './catalog.ts'
import type { ColdFile } from './catalog.ts'
import { FingerprintSet } from './fingerprint-set.ts'

/** Which ids are already in cold. A fingerprint in memory says "certainly new"; the rest is confirmed in the Parquet column. */
export interface ColdIds {
  /** The catalog's generation that the answers hold for. */
  readonly generation: number
  /** Positions in the batch whose ids are in cold. Exact for the generation after the call, which may be a later one than before. */
  find(batch: EventBatch): Promise<ReadonlySet<number>>
  /** Takes in what the catalog has gained since. */
  catchUp(): Promise<void>
  close(): void
}

const NONE: ReadonlySet<number> = new Set()

export async function openColdIds(db: Sqlite, layout: Layout, memory_mb: number): Promise<ColdIds> {
  let duck: Duck | null = null
  let connection: DuckConnection | null = null
  let files: ColdFile[] = []
  const known = new Set<string>()
  let generation = -1
  let prints = new FingerprintSet()

  const pathOf = (file: ColdFile) => join(layout.cold, file.path)

  // Opened when first needed: a service without cold days never pays for it.
  async function connect(): Promise<DuckConnection> {
    duck ??= await openDuck({ threads: 1, memory_mb, spill: layout.spill })
    connection ??= await duck.connect()
    return connection
  }

  async function load(file: ColdFile): Promise<void> {
    const digest = new IdDigest()
    await forEachUuid(
      await connect(),
      `SELECT event_id FROM read_parquet(${sqlText(pathOf(file))})`,
      (w0, w1, w2, w3) => {
        const { low, high } = fingerprint(w0, w1, w2, w3)
        prints.add(low, high)
        digest.add(w0, w1, w2, w3)
      },
    )
    if (digest.count !== file.rows || digest.toString() !== file.id_digest) {
      throw new Error(
        `cold file ${file.path} has ${digest.count} rows with digest ${digest}, ` +
          `and the catalog says ${file.rows} with ${file.id_digest}`,
      )
    }
  }

  async function catchUp(): Promise<void> {
    while (generation !== readGeneration(db)) {
      const catalog = db.transaction(() => readCatalog(db))()
      if (known.size === 0) prints = new FingerprintSet(catalog.files.reduce((n, file) => n + file.rows, 0))
      try {
        for (const file of catalog.files) {
          if (known.has(file.path)) continue
          await load(file)
          known.add(file.path)
        }
      } catch (error) {
        // A merge may have replaced the file while we read. If it did not, the file is damaged, and that is loud.
        if (readGeneration(db) === catalog.generation) throw error
        continue
      }
      files = catalog.files
      generation = catalog.generation
    }
  }

  function suspects(batch: EventBatch): number[] {
    const ids = Buffer.from(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    const found: number[] = []
    for (let i = 0, at = 0; i < batch.count; i += 1, at += ID_BYTES) {
      const { low, high } = fingerprint(
        ids.readUInt32BE(at),
        ids.readUInt32BE(at + 4),
        ids.readUInt32BE(at + 8),
        ids.readUInt32BE(at + 12),
      )
      if (prints.has(low, high)) found.push(i)
    }
    return found
  }

  /** Which of the suspects really stand in these files. */
  async function confirm(
    batch: EventBatch,
    positions: readonly number[],
    among: ColdFile[],
  ): Promise<number[]> {
    if (positions.length === 0 || among.length === 0) return []
    const ids = Buffer.from(batch.ids.buffer, batch.ids.byteOffset, batch.ids.byteLength)
    const texts = positions.map((i) => formatEventId(ids, i * ID_BYTES))
    const reader = await (
      await connect()
    ).runAndReadAll(
      `SELECT DISTINCT event_id::VARCHAR FROM read_parquet(${sqlTextList(among.map(pathOf))})
       WHERE event_id IN (SELECT unnest(${sqlTextList(texts)}::UUID[]))`,
    )
    const present = new Set(reader.getRows().map((row) => row[0]))
    return positions.filter((_, k) => present.has(texts[k]!))
  }

  async function confirmAll(batch: EventBatch, positions: number[]): Promise<ReadonlySet<number>> {
    // A replay nearly always carries the same time as the first copy, so its own day's files come first.
    const days = new Set(positions.map((i) => dayOf(batch.times[i]!)))
    const near = files.filter((file) => days.has(file.day))
    const far = files.filter((file) => !days.has(file.day))
    const found = new Set(await confirm(batch, positions, near))
    const rest = positions.filter((i) => !found.has(i))
    for (const i of await confirm(batch, rest, far)) found.add(i)
    return found
  }

  function close(): void {
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
        const asked = generation
        // Anew after each catch-up: it may have brought in ids of this batch that were certainly new before.
        const positions = prints.size === 0 ? [] : suspects(batch)
        if (positions.length === 0) return NONE
        try {
          return await confirmAll(batch, positions)
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
