/**
 * Groups consecutive items into groups of at most `rows_max` rows and `items_max` items.
 * An item with more rows is its own group.
 */
export function groupByRows<T extends { rows: number }>(
  items: readonly T[],
  rows_max: number,
  items_max = Infinity,
): T[][] {
  const groups: T[][] = []
  let rows = 0
  for (const item of items) {
    const group = groups.at(-1)
    if (group !== undefined && rows + item.rows <= rows_max && group.length < items_max) {
      group.push(item)
      rows += item.rows
    } else {
      groups.push([item])
      rows = item.rows
    }
  }
  return groups
}
