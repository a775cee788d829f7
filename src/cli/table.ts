import { MICROS_PER_MS } from '../event/time.ts'
import type { Micros } from '../event/time.ts'

/** Rows for people, in columns. */
export function printTable<T extends string>(
  columns: readonly T[],
  rows: readonly Readonly<Record<T, string | number | null>>[],
): void {
  const lines = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? '-')))]
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => cells[i]!.length)))
  for (const cells of lines)
    console.log(
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
}

export function formatInstant(at_us: Micros): string {
  return new Date(at_us / MICROS_PER_MS).toISOString()
}
