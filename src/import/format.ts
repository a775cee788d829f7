import type { HeaderOptions } from '../event/csv-header.ts'

/** The file formats that reader.ts can read. */

export const FORMATS = ['csv', 'ndjson', 'posthog', 'mixpanel', 'amplitude'] as const
export type Format = (typeof FORMATS)[number]

/** The format by the file name: NDJSON for `.ndjson` and `.jsonl`, with or without `.gz`; otherwise CSV. */
export function formatOf(name: string): Format {
  return /\.(?:ndjson|jsonl)(?:\.gz)?$/i.test(name) ? 'ndjson' : 'csv'
}

/** The options that affect how a file is read, as text. Equal options give equal texts; CSV without options gives ''. */
export function wayOf({
  format,
  map = new Map(),
  extra_columns = false,
  time_format,
}: HeaderOptions & { format: Format }): string {
  if (format === 'csv' && map.size === 0 && !extra_columns && time_format === undefined) return ''
  return JSON.stringify([format, [...map].toSorted(), extra_columns, time_format ?? null])
}
