import type { Verdict } from '../event/event.ts'
import type { Judge } from '../event/judge.ts'
import { NdjsonScanner } from '../event/ndjson.ts'
import type { NdjsonLine } from '../event/ndjson.ts'
import type { DuckConnection } from '../store/duckdb.ts'
import { judgeVendorEvent } from '../vendors/vendor.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { forEachPiece } from './pieces.ts'
import type { Rejects } from './rejects.ts'
import { appendJudged } from './staging.ts'

/**
 * Reads a file with one JSON event per line. Valid events are staged, all other lines are added to `rejects`.
 * @param vendor whose format the events have; null for the format of `POST /events`
 * @returns the number of lines that are not blank
 */
export async function readLines(
  connection: DuckConnection,
  path: string,
  vendor: Vendor | null,
  judge: Judge,
  rejects: Rejects,
): Promise<number> {
  const appender = await appendJudged(connection)
  const scanner = new NdjsonScanner()
  let lines = 0

  function take(line: NdjsonLine): void {
    const verdict = judgeLine(line, vendor, judge)
    if ('event' in verdict) appender.add(verdict.event, lines)
    else rejects.add(line.number, verdict.error.message, [line.text()])
    lines += 1
  }

  try {
    await forEachPiece(path, (piece, last) => scanner.push(piece, last, take))
  } finally {
    appender.close()
  }
  return lines
}

function judgeLine(line: NdjsonLine, vendor: Vendor | null, judge: Judge): Verdict {
  const read = line.read()
  if ('error' in read) return read
  if (vendor === null) return judge(read.value)
  return judgeVendorEvent(judge, vendor, read.value, line.text())
}
