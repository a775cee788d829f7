import { closeSync, openSync, writeSync } from 'node:fs'
import type { DemoEvent } from '../src/demo/generate.ts'
import { toCsv } from '../tests/sample.ts'

/** Writes a file for the import, a part at a time. */
export function writeCsv(path: string, parts: Iterable<readonly DemoEvent[]>): void {
  const file = openSync(path, 'w')
  let is_first = true
  for (const part of parts) {
    const text = toCsv(part)
    writeSync(file, is_first ? text : text.slice(text.indexOf('\n') + 1))
    is_first = false
  }
  closeSync(file)
}
