import { eventOfRecord } from '../../event/csv-event.ts'
import { readHeader } from '../../event/csv-header.ts'
import type { Header } from '../../event/csv-header.ts'
import { CsvScanner } from '../../event/csv-scanner.ts'
import { Problem } from '../../problem/problem.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'
import { BODY_DEPTH_MAX, parseJson } from '../../event/nesting.ts'

/** Parses `text/csv`: a header and one event per row, with the columns of an import. */
export function readCsv(bytes: Uint8Array, events_max: number): Batch {
  const batch: unknown[] = []
  let header: Header | null = null
  new CsvScanner().push(bytes, true, (record) => {
    if (header === null) {
      header = headerOf(record.fields)
      return
    }
    if (batch.length === events_max) throw tooManyEvents(events_max)
    const result = eventOfRecord(record, header, (text) => parseJson(text, BODY_DEPTH_MAX))
    if ('value' in result) batch.push(result.value)
    else batch.push(new Unreadable(record.text(), result.error.message, result.error.path))
  })
  if (header === null) throw notCsv('is empty')
  return batch
}

function headerOf(names: readonly string[]): Header {
  const header = readHeader(names)
  if ('fault' in header) throw notCsv(header.fault)
  return header
}

function notCsv(fault: string): Problem {
  return new Problem('not_csv', `The body is not a CSV file of events: it ${fault}.`)
}
