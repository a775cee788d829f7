import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { sweepFiles } from '../cold/sweep.ts'
import { failpoint } from '../process/failpoint.ts'
import { openDuck } from '../store/duckdb.ts'
import { findEarlier, identify, reportEarlier } from './earlier.ts'
import { wayOf } from './format.ts'
import { openImportedFiles } from './imported-files.ts'
import type { ImportedFiles } from './imported-files.ts'
import type { ImportDeps, ImportOptions, ImportResult } from './job.ts'
import { publishNewRows } from './publish.ts'
import { openReader } from './reader.ts'
import type { Reader } from './reader.ts'
import { openRejects } from './rejects.ts'
import type { Rejects } from './rejects.ts'
import { openSource } from './source.ts'
import type { Source } from './source.ts'
import { openStaging } from './staging.ts'

/**
 * Imports a file directly into cold files: reads and validates the rows, drops duplicates, writes one
 * file per day, and makes all days visible in one transaction. The caller holds the cold lock, so the
 * cold files do not change during the import. Hot rows may be added, so they are compared once more under
 * SQLite's write lock.
 */

/**
 * Imports a file, unless the same bytes were imported before.
 * @param named path of a file, or `-` for stdin
 * @throws {ImportFileError} if the file as a whole cannot be read
 */
export async function importFile(
  deps: ImportDeps,
  named: string,
  options: ImportOptions,
): Promise<ImportResult> {
  const { db, layout, disk, progress } = deps
  const started = performance.now()
  sweepFiles(db, disk, layout, deps.now_us(), deps.grace_s)
  const folder = join(layout.staging, randomUUID())
  disk.makeFolder(folder)
  let rejects: Rejects | undefined
  const took_ms = () => Math.round(performance.now() - started)
  try {
    const source = await openSource(named, folder, disk)
    const reader = openReader(source, options)
    const imported_files = openImportedFiles(db)
    rejects = openRejects(reader.reject_columns, source.beside, source.mode, disk)
    const earlier = options.force
      ? null
      : await findEarlier(deps, imported_files, source, wayOf(options), rejects, options.strict)
    if (earlier !== null) {
      const rejected_path = earlier.rejected === 0 ? rejects.finish() : rejects.path
      return { report: reportEarlier(earlier, took_ms()), earlier, is_changed: false, rejected_path }
    }
    return await importRows(deps, { folder, source, reader, rejects, imported_files, took_ms }, options)
  } finally {
    progress.end()
    rejects?.discard()
    disk.remove(folder)
  }
}

/** The parts of one import. */
interface File {
  folder: string
  source: Source
  reader: Reader
  rejects: Rejects
  imported_files: ImportedFiles
  took_ms: () => number
}

async function importRows(deps: ImportDeps, file: File, options: ImportOptions): Promise<ImportResult> {
  const { disk } = deps
  const { folder, source, reader, rejects, imported_files, took_ms } = file
  const duck = await openDuck({
    threads: deps.threads,
    memory_mb: deps.memory_mb,
    spill: join(folder, 'spill'),
  })
  try {
    const connection = await duck.connect()
    const staging = await openStaging(connection, folder)
    // Runs in parallel with DuckDB's threads.
    const hashing = identify(source, wayOf(options))
    // If the reader fails first, this promise is never awaited. Its rejection must not count as unhandled.
    hashing.catch(() => {})
    const rows = await reader.read(deps, staging, rejects)
    const checksum = await hashing
    const is_changed = !source.isUnchanged()
    failpoint('import.read')
    const rejected = rejects.count
    const blocked = options.strict && rejected > 0
    const rejected_path = rejects.finish()
    const rejects_checksum = rejected_path === null ? null : await disk.checksum(rejected_path)
    failpoint('import.told')
    const { bytes, name } = source
    const remember = () => {
      if (is_changed) return
      const imported_at = deps.now_us()
      imported_files.put({ bytes, checksum, name, imported_at, rows, rejected, rejects_checksum })
    }
    const files = blocked ? [] : await publishNewRows(deps, duck, connection, remember)
    const imported = files.reduce((n, { rows: of_file }) => n + of_file, 0)
    connection.closeSync()
    return {
      rejected_path,
      earlier: null,
      is_changed,
      report: {
        rows,
        imported,
        duplicates: blocked ? 0 : rows - rejected - imported,
        rejected,
        days: new Set(files.map(({ day }) => day)).size,
        files: files.length,
        bytes: files.reduce((n, { bytes: of_file }) => n + of_file, 0),
        took_ms: took_ms(),
        already_imported_at: null,
      },
    }
  } finally {
    duck.close()
  }
}
