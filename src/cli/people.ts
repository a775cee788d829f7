import { MICROS_PER_MS } from '../event/time.ts'
import type { Micros } from '../event/time.ts'

/** Numbers, times and tables as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** 1523 → `1,523` */
export function grouped(n: number): string {
  return n.toLocaleString('en-US')
}

/** `1 event`, `2 events` */
export function count(n: number, noun: string): string {
  return `${grouped(n)} ${noun}${n === 1 ? '' : 's'}`
}

/** 1258291 → `1.2 MiB` */
export function size(bytes: number): string {
  let unit = 0
  let n = bytes
  // Rounded to one digit, 1,023.96 KiB would read 1,024.0 KiB.
  for (; unit < UNITS.length - 1 && n >= (unit === 0 ? 1_024 : 1_023.95); unit += 1) n /= 1_024
  return `${unit === 0 ? n : n.toFixed(1)} ${UNITS[unit]}`
}

/** 1340 → `1.3 s` */
export function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

export function instant(at_us: Micros): string {
  return new Date(at_us / MICROS_PER_MS).toISOString()
}

/**
 * Rows in columns with a heading.
 * @param right columns of amounts, whose digits must stand below each other; an id is a name and stands left
 */
export function table<T extends string>(
  columns: readonly T[],
  rows: readonly Readonly<Record<T, string | number | null>>[],
  right: readonly T[] = [],
): string {
  const write = (column: T, value: string | number | null) =>
    typeof value === 'number' && right.includes(column) ? grouped(value) : String(value ?? '-')
  const lines = rows.map((row) => columns.map((column) => write(column, row[column])))
  return align(
    [columns, ...lines],
    columns.map((column) => right.includes(column)),
  )
}

/** Pads each cell to the width of its column. */
export function align(lines: readonly (readonly string[])[], right: readonly boolean[] = []): string {
  const widths = lines[0]?.map((_, i) => Math.max(...lines.map((cells) => cells[i]!.length))) ?? []
  const pad = (cell: string, i: number) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))
  return lines.map((cells) => cells.map(pad).join('  ').trimEnd()).join('\n')
}

/** Escapes what a terminal would obey: stored text comes from anyone. In JSON the escapes mean the same text. */
export function printable(text: string): string {
  return text.replaceAll(
    /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
