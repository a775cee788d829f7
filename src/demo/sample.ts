import { closeSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DemoEvent } from './generate.ts'

/** The sample data as a file for `import`. */

const HEADER = 'event_id,occurred_at,user_id,event_type,properties_json\n'

/** Writes the file; whoever reads it meanwhile sees the old one or the new one, never half of it. */
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

/** Only the properties can hold a quote or a comma; all other fields are plain by the way they are made. */
function csvRow({ event_id, occurred_at, user_id, event_type, properties }: DemoEvent): string {
  const quoted = JSON.stringify(properties).replaceAll('"', '""')
  return `${event_id},${occurred_at},${user_id},${event_type},"${quoted}"\n`
}
