import { resolve } from 'node:path'
import type { CsvColumn } from '../event/csv-header.ts'
import { nowMicros } from '../event/time.ts'
import type { EpochFormat } from '../event/time.ts'
import { formatOf } from '../import/format.ts'
import type { Format } from '../import/format.ts'
import { ImportFileError } from '../import/header.ts'
import { importFile } from '../import/import.ts'
import type { ImportReport, ImportResult } from '../import/job.ts'
import { createProgress } from '../import/progress.ts'
import { fileAt, STDIN } from '../import/source.ts'
import { realDisk } from '../store/disk.ts'
import { openLayout } from '../store/layout.ts'
import { BUSY, waitForColdLock } from '../store/lock.ts'
import { openStore } from '../store/sqlite.ts'
import { CommandError, EXIT, UsageError } from './command.ts'
import type { Context } from './command.ts'
import { count, duration, grouped, size } from './people.ts'
import { JOB_THREADS } from './store.ts'

interface Choices {
  format: Format | undefined
  map: ReadonlyMap<string, CsvColumn> | undefined
  'extra-columns': 'properties' | undefined
  'time-format': EpochFormat | undefined
  strict: boolean
  force: boolean
  /** Seconds. */
  wait: number
}

/** Imports files one after another and prints the counts of each. */
export async function importCommand(
  context: Context,
  { file: files }: { file: readonly string[] },
  choices: Choices,
): Promise<number> {
  const results: (ImportResult & { file: string })[] = []
  try {
    // Before anything waits for its turn, or makes a store.
    for (const file of files) refuseCsvOptions(file, choices)
    for (const file of files) if (file !== STDIN) fileAt(resolve(file), file)
    for (const file of files) {
      const result = { file, ...(await runImport(context, file, choices)) }
      tell(context, result)
      results.push(result)
    }
  } catch (error) {
    if (error instanceof ImportFileError) throw new CommandError(error.message, { cause: error })
    throw error
  }
  const [first] = results
  if (results.length === 1) context.answer(reportOf(first!), () => summary(first!))
  else {
    const data = results.map((result) => ({ file: result.file, ...reportOf(result) }))
    context.answer({ data }, () => results.map((result) => `${result.file}: ${summary(result)}`).join('\n'))
  }
  return results.some(({ report }) => isFailed(report, choices.strict)) ? EXIT.failed : EXIT.done
}

/** Options that say what the columns of a CSV file mean. */
const CSV_OPTIONS = ['map', 'extra-columns', 'time-format'] as const

/** @throws {UsageError} */
function refuseCsvOptions(file: string, choices: Choices): void {
  const format = choices.format ?? formatOf(file)
  const option = CSV_OPTIONS.find((name) => choices[name] !== undefined)
  if (format !== 'csv' && option !== undefined) throw new UsageError(`--${option} is only for CSV.`)
}

function tell(
  { note }: Context,
  { file, report, rejected_path, is_changed }: ImportResult & { file: string },
) {
  if (rejected_path !== null) note(`${count(report.rejected, 'row')} rejected; see ${rejected_path}`)
  if (is_changed) note(`${file} changed during the import; the next import of it will read it again.`)
}

/** The counts, and where the rejected rows are. */
function reportOf({ report, rejected_path }: ImportResult) {
  return { ...report, rejected_file: rejected_path }
}

/** A file of which nothing could be imported is a wrong file. */
function isFailed({ rows, rejected }: ImportReport, strict: boolean): boolean {
  return rejected > 0 && (strict || rejected === rows)
}

/** Takes the lock and the database, and releases both. */
export async function runImport(
  { config, note }: Context,
  file: string,
  { wait, strict, force, map, ...choices }: Pick<Choices, 'wait' | 'strict' | 'force'> & Partial<Choices>,
): Promise<ImportResult> {
  const time_format = choices['time-format']
  const layout = openLayout(config.DATA_DIR)
  const lock = await waitForColdLock(layout, wait * 1_000, () =>
    note('another compaction or import is running; waiting'),
  )
  if (lock === BUSY) throw new CommandError('Another compaction or import is running; try again later.')
  const db = openStore(layout.database)
  try {
    return await importFile(
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
      {
        strict,
        force,
        format: choices.format ?? formatOf(file),
        extra_columns: choices['extra-columns'] === 'properties',
        ...(map === undefined ? {} : { map }),
        ...(time_format === undefined ? {} : { time_format }),
      },
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
