import { OPERATORS } from './tree.ts'

/** Splits `where=` into words, quoted texts and signs. */

/** The expression cannot be read. The message is for the person who wrote it. */
export class FilterError extends Error {
  override name = 'FilterError'
}

export interface Token {
  kind: 'word' | 'quoted' | 'sign' | 'end'
  text: string
  /** From 1. */
  column: number
}

const BLANKS = /\s*/y
const TOKEN =
  /(?:([(),[\]]|[<>!]=|[=<>])|"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|([^\s(),[\]<>=!"']+)|$)/y
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
export const KEYWORDS = new Set<string>(['and', 'or', 'not', ...OPERATORS])

/** @throws {FilterError} where a quote is not closed */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  BLANKS.lastIndex = 0
  for (;;) {
    BLANKS.exec(text)
    const column = BLANKS.lastIndex + 1
    TOKEN.lastIndex = BLANKS.lastIndex
    const found = TOKEN.exec(text)
    BLANKS.lastIndex = TOKEN.lastIndex
    if (found === null)
      throw wrong(column, /["']/.test(text[column - 1]!) ? 'the quote is not closed' : 'unexpected character')
    const [, sign, double, single, word] = found
    const quoted = double ?? single
    if (sign !== undefined) tokens.push({ kind: 'sign', text: sign, column })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, column })
    else if (quoted !== undefined) tokens.push({ kind: 'quoted', text: unescape(quoted), column })
    else return [...tokens, { kind: 'end', text: '', column }]
  }
}

function unescape(text: string): string {
  return text.replaceAll(/\\([^])/g, (_, character: string) => ESCAPES[character] ?? character)
}

export function wrong(column: number, message: string): FilterError {
  return new FilterError(`column ${column}: ${message}`)
}
