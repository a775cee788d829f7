import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DemoEvent } from './generate.ts'

/** Writes the sample data as a file for `import`. */

const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json\n'

/** Replaces the file by rename, so that a concurrent reader sees either the old file or the new one. */
export function writeSample(path: string, events: readonly DemoEvent[]): void {
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.part`
  const file = openSync(draft, 'w')
  try {
    writeSync(file, HEADER + events.map(csvRow).join(''))
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
}

/** Only the properties are quoted: generated values of the other fields contain no quote or comma. */
function csvRow({ event_id, occurred_at, user_id, event_type, properties }: DemoEvent): string {
  const quoted = JSON.stringify(properties).replaceAll('"', '""')
  return `${event_id},${occurred_at},${user_id},${event_type},"${quoted}"\n`
}
