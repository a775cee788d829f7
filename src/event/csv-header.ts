import type { EpochFormat } from './time.ts'

/** The columns of an import file, by name and in any order. */
export const CSV_COLUMNS = ['event_id', 'occurred_at', 'user_id', 'event_type', 'properties_json'] as const
export type CsvColumn = (typeof CSV_COLUMNS)[number]

/** Further columns of the file of rejected rows, so that it can be corrected and imported as it is. */
export const REJECT_COLUMNS = ['line', 'reason'] as const

export interface Header {
  /** How many columns the file has. */
  count: number
  /** Where each column of ours stands. */
  position: Readonly<Record<CsvColumn, number>>
  /** Columns whose values become properties, by the name of the property. */
  extra: ReadonlyMap<string, number>
  /** Times are numbers of this unit; null for times as text. */
  time_format: EpochFormat | null
}

/** What the person who imports says of a file. */
export interface HeaderOptions {
  /** Other names of our columns in this file. */
  map?: ReadonlyMap<string, CsvColumn>
  /** Columns that are not ours become properties. */
  extra_columns?: boolean
  /** Times are numbers of this unit. */
  time_format?: EpochFormat
}

const EXPECTED = `a header with the columns ${CSV_COLUMNS.join(', ')}`

/**
 * Finds our columns in a header. Case and blanks around a name do not matter.
 * @returns what is wrong with the names, as the end of a sentence, or the header
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
  // Without properties a file can be whole.
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

/** Names of columns are the client's; another delimiter is what most often hides ours. */
function missingFault(names: readonly string[], missing: readonly string[]): string {
  const lacks = `lacks the columns ${missing.join(', ')}; it must begin with ${EXPECTED}`
  return names.length === 1 ? `has one column, and ${lacks}` : lacks
}

/** What {@link readHeader} says of a header that is wrong. */
export function headerFault(names: readonly string[]): string {
  const header = readHeader(names)
  return 'fault' in header ? header.fault : ''
}
