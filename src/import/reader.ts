import { CSV_COLUMNS } from '../event/csv-header.ts'
import { createJudge } from '../event/judge.ts'
import type { Judge } from '../event/judge.ts'
import type { Micros } from '../event/time.ts'
import { VENDORS } from '../vendors/vendors.ts'
import type { VendorName } from '../vendors/vendors.ts'
import { readFileHeader } from './header.ts'
import type { FileHeader } from './header.ts'
import type { ImportDeps, ImportOptions } from './job.ts'
import { readCareful } from './read-careful.ts'
import { NEEDS_CARE, readFast } from './read-fast.ts'
import { readLines } from './read-lines.ts'
import type { Rejects } from './rejects.ts'
import type { Source } from './source.ts'
import { defineRelations } from './staging.ts'
import type { Staging } from './staging.ts'

/** Reads one file in its format. */
export interface Reader {
  /** Columns of the rejects file for the fields of a row. */
  reject_columns: readonly string[]
  /** Stages the valid rows, adds the others to `rejects`, and defines the views on the staged rows. @returns the number of rows */
  read(deps: ImportDeps, staging: Staging, rejects: Rejects): Promise<number>
}

/** Creates the reader for the format. @throws {ImportFileError} if the file as a whole cannot be read in this format */
export function openReader(source: Source, options: ImportOptions): Reader {
  if (options.format === 'csv')
    return csvReader(source.path, readFileHeader(source.path, source.name, options))
  return lineReader(source.path, options.format === 'ndjson' ? null : options.format)
}

function csvReader(path: string, header: FileHeader): Reader {
  return {
    reject_columns: CSV_COLUMNS,
    async read(deps, staging, rejects) {
      const { connection } = staging
      const { now_us, judge } = clockOf(deps)
      const fast = await deps.progress.during('reading', connection, () =>
        readFast(staging, path, header, judge, now_us, rejects),
      )
      await defineRelations(staging, fast !== NEEDS_CARE)
      if (fast !== NEEDS_CARE) return fast
      return deps.progress.during('reading row by row', null, () =>
        readCareful(connection, path, header, judge, rejects),
      )
    },
  }
}

function lineReader(path: string, vendor: VendorName | null): Reader {
  return {
    reject_columns: ['text'],
    async read(deps, staging, rejects) {
      const { connection } = staging
      await defineRelations(staging, false)
      return deps.progress.during('reading line by line', null, () =>
        readLines(connection, path, vendor && VENDORS[vendor], clockOf(deps).judge, rejects),
      )
    },
  }
}

/** A judge with a fixed time, so that all readers of a file accept the same rows. */
function clockOf(deps: ImportDeps): { now_us: Micros; judge: Judge } {
  const now_us = deps.now_us()
  return { now_us, judge: createJudge(() => now_us) }
}
