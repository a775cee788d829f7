import { FilterError, tokensOf, wrong } from './tokens.ts'
import type { Token } from './tokens.ts'
import { FILTER_CHARS_MAX } from './tree.ts'

/** Takes the tokens of a text one after the other. */
export class TokenReader {
  readonly #tokens: readonly Token[]
  #at = 0

  /** @throws {FilterError} if the text is too long, or where a quote is not closed */
  constructor(text: string) {
    if (text.length > FILTER_CHARS_MAX)
      throw new FilterError(`must have at most ${FILTER_CHARS_MAX} characters`)
    this.#tokens = tokensOf(text)
  }

  /** The next one, which is not taken yet; at the end, the end. */
  get token(): Token {
    return this.#tokens[this.#at]!
  }

  next(): Token {
    const token = this.token
    if (token.kind !== 'end') this.#at += 1
    return token
  }

  /** Whether the next token is this keyword or sign, which is then taken. */
  takes(text: string): boolean {
    const { kind, text: found } = this.token
    const is_it = kind !== 'quoted' && kind !== 'end' && found.toLowerCase() === text
    if (is_it) this.#at += 1
    return is_it
  }

  expect(sign: string): void {
    const { column } = this.token
    if (!this.takes(sign)) throw wrong(column, `expected ${sign}`)
  }

  /** @param or what could stand there instead */
  expectEnd(or: string): void {
    const { kind, column } = this.token
    if (kind !== 'end') throw wrong(column, `expected ${or} or the end`)
  }
}
