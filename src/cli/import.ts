import { CsvFileError, readHeader } from '../event/csv-header.ts'
import { nowMicros } from '../event/time.ts'
import { importCsv } from '../import/import.ts'
import type { ImportResult } from '../import/job.ts'
import { createProgress } from '../import/progress.ts'
import { realDisk } from '../store/disk.ts'
import { openLayout } from '../store/layout.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import { openStore } from '../store/sqlite.ts'
import { CommandError, EXIT } from './command.ts'
import type { Context } from './command.ts'
import { count, duration, grouped, size } from './people.ts'
import { JOB_THREADS } from './store.ts'

interface Choices {
  strict: boolean
  force: boolean
  /** Seconds. */
  wait: number
}

/** Imports one file and prints the counts. */
export async function importCommand(
  context: Context,
  { file }: { file: string },
  choices: Choices,
): Promise<number> {
  const { answer, note } = context
  try {
    readHeader(file)
    const result = await runImport(context, file, choices)
    const { report, rejected_path, is_changed } = result
    if (rejected_path !== null) note(`${count(report.rejected, 'row')} rejected; see ${rejected_path}`)
    if (is_changed) note(`${file} changed during the import; the next import of it will read it again.`)
    answer(report, () => summary(result))
    return choices.strict && report.rejected > 0 ? EXIT.failed : EXIT.done
  } catch (error) {
    if (error instanceof CsvFileError) throw new CommandError(error.message, { cause: error })
    throw error
  }
}

/** Takes the lock and the database, and releases both. */
export async function runImport({ config, note }: Context, file: string, { wait, ...options }: Choices) {
  const layout = openLayout(config.DATA_DIR)
  const lock = await waitForColdLock(layout, wait * 1_000, () =>
    note('another compaction or import is running; waiting'),
  )
  if (lock === BUSY) throw new CommandError('Another compaction or import is running; try again later.')
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
  const counts = `${count(rows, 'row')}: ${grouped(imported)} imported, ${count(duplicates, 'duplicate')}, ${grouped(rejected)} rejected`
  if (earlier !== null)
    return `${counts}. The file was imported as ${earlier.name} on ${already_imported_at}; --force imports it again.`
  return `${counts}; ${count(days, 'day')} in ${count(files, 'file')}, ${size(bytes)}, ${duration(took_ms)}.`
}
