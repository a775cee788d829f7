import type { Config } from '../config.ts'
import { CsvFileError, readHeader } from '../event/csv-header.ts'
import { nowMicros } from '../event/time.ts'
import { importCsv } from '../import/import.ts'
import type { ImportResult } from '../import/job.ts'
import { createProgress } from '../import/progress.ts'
import { realDisk } from '../store/disk.ts'
import { openLayout } from '../store/layout.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import { openStore } from '../store/sqlite.ts'
import { CommandError, EXIT } from './exit.ts'
import { JOB_THREADS } from './jobs.ts'

export interface ImportOptions {
  json: boolean
  strict: boolean
  force: boolean
  wait_s: number
}

/** Imports one file and prints the summary. */
export async function importCommand(config: Config, file: string, options: ImportOptions): Promise<number> {
  try {
    readHeader(file)
    const result = await runImport(config, file, options)
    const { report, rejected_path } = result
    if (rejected_path !== null) console.error(`${report.rejected} rows were rejected; see ${rejected_path}`)
    if (result.is_changed) console.error(`${file} was written to while it was read; it is not remembered`)
    if (options.json) console.log(JSON.stringify(report))
    else console.log(summary(result))
    return options.strict && report.rejected > 0 ? EXIT.failed : EXIT.done
  } catch (error) {
    if (error instanceof CsvFileError) throw new CommandError(error.message, { cause: error })
    throw error
  }
}

/** Takes the lock and the database, and gives both back. */
export async function runImport(config: Config, file: string, options: Omit<ImportOptions, 'json'>) {
  const layout = openLayout(config.DATA_DIR)
  const lock = await waitForColdLock(layout, options.wait_s * 1_000, () =>
    console.error('another compaction or import is at work; waiting'),
  )
  if (lock === BUSY) throw new CommandError('Another compaction or import is at work; try again later.')
  const db = openStore(layout.database)
  try {
    return await importCsv(
      {
        db,
        layout,
        disk: realDisk,
        progress: createProgress(process.stderr),
        now_us: nowMicros,
        grace_s: config.REPLACED_FILE_GRACE_S,
        memory_mb: config.JOB_MEMORY_MB,
        threads: JOB_THREADS,
      },
      file,
      options,
    )
  } finally {
    db.close()
    lock.release()
  }
}

function summary({ report, earlier }: ImportResult): string {
  const { rows, imported, duplicates, rejected, days, files, bytes, took_ms, already_imported_at } = report
  const counts = `${rows} rows: ${imported} imported, ${duplicates} duplicates, ${rejected} rejected; `
  if (earlier === null) return `${counts}${days} days in ${files} files, ${bytes} bytes, ${took_ms} ms.`
  return `${counts}imported on ${already_imported_at} as ${earlier.name}; --force imports it again.`
}
