import type { EpochFormat } from './time.ts'

/** The columns of an import file. Their order in the file does not matter. */
export const CSV_COLUMNS = ['event_id', 'occurred_at', 'user_id', 'event_type', 'properties_json'] as const
export type CsvColumn = (typeof CSV_COLUMNS)[number]

/** More columns of the rejects file. {@link readHeader} ignores them, so a corrected rejects file can be imported as is. */
export const REJECT_COLUMNS = ['line', 'reason'] as const

/** Where the columns are in a file. An index begins at 0. */
export interface Header {
  /** Number of columns in the file. */
  count: number
  /** Index of each event column; -1 for `properties_json` if the file has none. */
  position: Readonly<Record<CsvColumn, number>>
  /** Index of each column whose values become a property, by the name of the property. */
  extra: ReadonlyMap<string, number>
  /** Unit of the times if they are numbers; null if they are text. */
  time_format: EpochFormat | null
}

/** Options for a file whose columns differ from {@link CSV_COLUMNS}. */
export interface HeaderOptions {
  /** Event columns by the name that they have in the file. */
  map?: ReadonlyMap<string, CsvColumn>
  /** Other columns become properties; if false, they are a fault. */
  extra_columns?: boolean
  /** Unit of the times if they are numbers. */
  time_format?: EpochFormat
}

const EXPECTED = `a header with the columns ${CSV_COLUMNS.join(', ')}`

/**
 * Finds the event columns in a header. Case and white space around a name do not matter.
 * @returns the header; or the fault, as the end of a sentence that begins with the name of the file
 */
export function readHeader(
  names: readonly string[],
  { map = new Map(), extra_columns = false, time_format }: HeaderOptions = {},
): Header | { fault: string } {
  const plain = names.map((name) => plainName(name))
  const ours = new Map([...map].map(([name, column]) => [plainName(name), column]))
  const columns = plain.map((name) => ours.get(name) ?? name)
  const position = Object.fromEntries(
    CSV_COLUMNS.map((name) => [name, columns.indexOf(name)]),
  ) as Header['position']
  // With extra columns, properties_json is optional.
  const missing = CSV_COLUMNS.filter(
    (name) => position[name] === -1 && !(extra_columns && name === 'properties_json'),
  )
  if (missing.length > 0) return { fault: missingFault(names, missing) }
  const known = new Set<string>([...CSV_COLUMNS, ...REJECT_COLUMNS])
  const twice = columns.filter((name, i) => columns.indexOf(name) !== i)
  if (twice.length > 0)
    return { fault: `has ${twice.length} columns that stand twice; it must begin with ${EXPECTED}` }
  const others = names.filter((_, i) => !known.has(columns[i]!))
  if (others.length > 0 && !extra_columns) {
    return { fault: `has ${others.length} columns that are unknown; it must begin with ${EXPECTED}` }
  }
  const extra = new Map(others.map((name) => [name.trim(), names.indexOf(name)]))
  return { count: names.length, position, extra, time_format: time_format ?? null }
}

function plainName(name: string): string {
  return name.trim().toLowerCase()
}

/**
 * Names the missing columns. The names in the file are client input and are not echoed. If there is only
 * one column, the file most often has another delimiter, so the message says how many there are.
 */
function missingFault(names: readonly string[], missing: readonly string[]): string {
  const lacks = `lacks the columns ${missing.join(', ')}; it must begin with ${EXPECTED}`
  return names.length === 1 ? `has one column, and ${lacks}` : lacks
}

/** The fault that {@link readHeader} finds; '' if the header is valid. */
export function headerFault(names: readonly string[]): string {
  const header = readHeader(names)
  return 'fault' in header ? header.fault : ''
}
