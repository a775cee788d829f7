/** More changes than this make another word, not a misspelt one. */
const CHANGES_MAX = 2

/**
 * The first line about a name that does not exist. It repeats the word only if that looks like a name: anything else may be a key or
 * a password in the wrong place.
 * @param write a name as the command line shows it
 */
export function unknownName(
  what: 'command' | 'option',
  word: string,
  names: readonly string[],
  write: (name: string) => string = (name) => name,
): string {
  const told = /^[a-z][a-z-]{0,19}$/.test(word) ? `Unknown ${what} \`${write(word)}\`.` : `Unknown ${what}.`
  const [nearest] = names
    .map((name) => ({ name, changes: changesBetween(word, name) }))
    .filter(({ name, changes }) => changes <= CHANGES_MAX && changes < name.length / 2)
    .toSorted((a, b) => a.changes - b.changes)
  return nearest === undefined ? told : `${told} Did you mean \`${write(nearest.name)}\`?`
}

/** Levenshtein distance: how many letters must be added, removed or replaced. */
function changesBetween(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const row = [i + 1]
    for (let j = 0; j < b.length; j += 1) {
      row.push(Math.min(above[j + 1]! + 1, row[j]! + 1, above[j]! + (letter === b[j] ? 0 : 1)))
    }
    above = row
  }
  return above[b.length]!
}
