/**
 * Groups consecutive items into groups of at most `rows_max` rows.
 * An item with more rows is its own group.
 */
export function groupByRows<T extends { rows: number }>(items: readonly T[], rows_max: number): T[][] {
  const groups: T[][] = []
  let rows = rows_max
  for (const item of items) {
    if (rows + item.rows > rows_max) {
      groups.push([])
      rows = 0
    }
    groups.at(-1)!.push(item)
    rows += item.rows
  }
  return groups
}
