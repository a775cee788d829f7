import type { HeaderOptions } from '../event/csv-header.ts'

/** The formats of a file: reader.ts reads them. */

export const FORMATS = ['csv', 'ndjson', 'posthog', 'mixpanel', 'amplitude'] as const
export type Format = (typeof FORMATS)[number]

/** The format that the name of a file says; CSV if it says none. */
export function formatOf(name: string): Format {
  return /\.(?:ndjson|jsonl)(?:\.gz)?$/i.test(name) ? 'ndjson' : 'csv'
}

/** How a file is read, as text; empty for CSV as it stands. */
export function wayOf({
  format,
  map = new Map(),
  extra_columns = false,
  time_format,
}: HeaderOptions & { format: Format }): string {
  if (format === 'csv' && map.size === 0 && !extra_columns && time_format === undefined) return ''
  return JSON.stringify([format, [...map].toSorted(), extra_columns, time_format ?? null])
}
