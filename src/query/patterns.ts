import type { Asked } from '../questions/parts/asked.ts'
import type { DuckConnection } from '../store/duckdb.ts'

/** Patterns of `matches` are RE2's, so that only the engine can tell whether one is valid. */

/** A pattern that the engine cannot read. */
export class PatternError extends Error {
  override name = 'PatternError'
}

/** @throws {PatternError} whose message does not repeat the pattern */
export async function checkPatterns(
  connection: DuckConnection,
  asked: Pick<Asked, 'filter' | 'parameters'>,
): Promise<void> {
  for (const pattern of patternsIn([asked.filter, asked.parameters])) {
    try {
      await connection.run(`SELECT regexp_matches('', $1)`, [pattern])
    } catch (error) {
      throw new PatternError('a pattern of matches is not valid RE2', { cause: error })
    }
  }
}

/** The patterns of all filters, wherever they stand. */
function patternsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  if ('op' in value && value.op === 'matches') {
    return (value as unknown as { values: { text: string }[] }).values.map(({ text }) => text)
  }
  return Object.values(value).flatMap(patternsIn)
}
