import papaparse from 'papaparse'
import { eventOfFields } from '../../event/csv-event.ts'
import { columnsFault, positionsOf } from '../../event/csv-header.ts'
import type { Header } from '../../event/csv-header.ts'
import { countFault, fieldsOf, quoteFault } from '../../event/csv-row.ts'
import { Problem } from '../../problem/problem.ts'
import { tooManyEvents, Unreadable } from './batch.ts'
import type { Batch } from './batch.ts'
import { BODY_DEPTH_MAX, parseJson } from './nesting.ts'

/** `text/csv`: a header and one event a row, in the columns of an import. */
export function readCsv(bytes: Uint8Array, events_max: number): Batch {
  // Not fatal: what is no UTF-8 becomes U+FFFD, and its row is rejected for that.
  const text = new TextDecoder().decode(bytes)
  const batch: unknown[] = []
  let header: Header | null = null
  let blank_rows = 0
  papaparse.parse<string[]>(text, {
    delimiter: ',',
    // The fast mode splits the whole text before the first row can be counted.
    fastMode: false,
    step({ data, errors }) {
      if (header === null) {
        header = readHeader(data)
        return
      }
      if (data.length === 1 && data[0] === '') {
        blank_rows += 1
        // A body of nothing else would keep the service busy.
        if (blank_rows > events_max) throw notCsv('has too many blank rows')
        return
      }
      if (batch.length === events_max) throw tooManyEvents(events_max)
      batch.push(readRow(data, header, quoteFault(errors)))
    },
  })
  if (header === null) throw notCsv('is empty')
  return batch
}

function readHeader(columns: readonly string[]): Header {
  const fault = columnsFault(columns)
  if (fault !== null) throw notCsv(fault)
  return { columns, position: positionsOf(columns) }
}

function readRow(row: readonly string[], header: Header, quotes: string | undefined): unknown {
  const fault = quotes ?? countFault(row.length, header.columns.length)
  if (fault !== undefined) return new Unreadable(papaparse.unparse([row]), fault)
  const result = eventOfFields(fieldsOf(row, header), (text) => parseJson(text, BODY_DEPTH_MAX))
  if ('value' in result) return result.value
  return new Unreadable(papaparse.unparse([row]), result.error.message, result.error.path)
}

function notCsv(fault: string): Problem {
  return new Problem('not_csv', `The body is not a CSV file of events: it ${fault}.`)
}
