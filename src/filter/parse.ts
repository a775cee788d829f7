import { TokenReader } from './reader.ts'
import { FilterError, KEYWORDS, wrong } from './tokens.ts'
import {
  faultOf,
  FILTER_DEPTH_MAX,
  FILTER_KEYS_MAX,
  FILTER_TESTS_MAX,
  FILTER_VALUES_MAX,
  OPERATORS,
} from './tree.ts'
import type { Field, Filter, Operator, Test, Value } from './tree.ts'

/**
 * Reads `where=`:
 *
 *     either = both {"or" both}
 *     both   = one {"and" one}
 *     one    = "not" one | "(" either ")" | test
 *     test   = field ("exists" | ["not"] "in" "(" value {"," value} ")" | operator value)
 *     field  = "event_type" | "user_id" | "properties" key {key};  key = "." word | "[" quoted "]"
 */

/** Property keys stand behind it: in `properties.plan` with a dot. */
const PROPERTIES = /^properties(?:\.|$)/

/** @throws {FilterError} whose message names the column */
export function parseFilter(text: string): Filter {
  return new Parser(text).filter()
}

/** Reads a field alone, such as `properties.plan`. */
export function parseField(text: string): Field {
  const [field, ...more] = parseFields(text)
  if (field === undefined || more.length > 0) throw new FilterError('must be one field')
  return field
}

/** Reads fields that are separated by commas. */
export function parseFields(text: string): Field[] {
  return new Parser(text).fields()
}

class Parser {
  readonly #tokens: TokenReader
  #depth = 0
  #tests = 0

  constructor(text: string) {
    this.#tokens = new TokenReader(text)
  }

  filter(): Filter {
    const filter = this.#either()
    this.#tokens.expectEnd('and, or,')
    return filter
  }

  fields(): Field[] {
    const fields = [this.#field()]
    while (this.#tokens.takes(',')) fields.push(this.#field())
    this.#tokens.expectEnd('a comma')
    return fields
  }

  #either(): Filter {
    const parts = [this.#both()]
    while (this.#tokens.takes('or')) parts.push(this.#both())
    return parts.length === 1 ? parts[0]! : { or: parts }
  }

  #both(): Filter {
    const parts = [this.#one()]
    while (this.#tokens.takes('and')) parts.push(this.#one())
    return parts.length === 1 ? parts[0]! : { and: parts }
  }

  #one(): Filter {
    const { column } = this.#tokens.token
    if (this.#tokens.takes('not')) return { not: this.#deeper(column, () => this.#one()) }
    if (!this.#tokens.takes('(')) return this.#test()
    const filter = this.#deeper(column, () => this.#either())
    this.#tokens.expect(')')
    return filter
  }

  #deeper(column: number, read: () => Filter): Filter {
    this.#depth += 1
    if (this.#depth > FILTER_DEPTH_MAX) throw wrong(column, `nested more than ${FILTER_DEPTH_MAX} deep`)
    const filter = read()
    this.#depth -= 1
    return filter
  }

  #test(): Filter {
    const { column } = this.#tokens.token
    this.#tests += 1
    if (this.#tests > FILTER_TESTS_MAX) throw wrong(column, `more than ${FILTER_TESTS_MAX} tests`)
    const field = this.#field()
    const operator = this.#tokens.token
    const is_negated = this.#tokens.takes('not')
    const name = this.#tokens.takes('!=') ? '!=' : OPERATORS.find((each) => this.#tokens.takes(each))
    if (name === undefined || (is_negated && name !== 'in')) {
      throw wrong(operator.column, `expected one of != not in ${OPERATORS.join(' ')}`)
    }
    const op: Operator = name === '!=' ? '=' : name
    const values = op === 'exists' ? [] : op === 'in' ? this.#list() : [this.#value()]
    const test: Test = { field, op, values }
    const fault = faultOf(test)
    if (fault !== null) throw wrong(operator.column, fault)
    return is_negated || name === '!=' ? { not: test } : test
  }

  #field(): Field {
    const { kind, text, column } = this.#tokens.next()
    if (kind === 'word' && (text === 'event_type' || text === 'user_id')) return text
    const expected = 'expected event_type, user_id, properties.<key> or properties["any key"]'
    if (kind !== 'word' || !PROPERTIES.test(text)) throw wrong(column, expected)
    const keys = text.split('.').slice(1)
    while (this.#tokens.takes('[')) {
      const key = this.#tokens.next()
      if (key.kind !== 'quoted') throw wrong(key.column, 'expected a key in quotes')
      keys.push(key.text)
      this.#tokens.expect(']')
      const { kind: next, text: more } = this.#tokens.token
      if (next === 'word' && more.startsWith('.')) keys.push(...this.#tokens.next().text.split('.').slice(1))
    }
    if (keys.length === 0 || keys.some((key) => key === '')) throw wrong(column, expected)
    if (keys.length > FILTER_KEYS_MAX) throw wrong(column, `more than ${FILTER_KEYS_MAX} keys`)
    return keys
  }

  #list(): Value[] {
    const { column } = this.#tokens.token
    this.#tokens.expect('(')
    const values = [this.#value()]
    while (this.#tokens.takes(',')) values.push(this.#value())
    this.#tokens.expect(')')
    if (values.length > FILTER_VALUES_MAX) throw wrong(column, `more than ${FILTER_VALUES_MAX} values`)
    return values
  }

  #value(): Value {
    const { kind, text, column } = this.#tokens.next()
    const is_value = kind === 'quoted' || (kind === 'word' && !KEYWORDS.has(text.toLowerCase()))
    if (!is_value) throw wrong(column, 'expected a value; text with blanks or signs stands in quotes')
    return { text, quoted: kind === 'quoted' }
  }
}
