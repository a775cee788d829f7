/** Filters as plain data: tests of one event, combined by `and`, `or` and `not`. */

export type Filter = Test | { and: readonly Filter[] } | { or: readonly Filter[] } | { not: Filter }

export interface Test {
  field: Field
  op: Operator
  /** One value; for `in` at least one; for `exists` none. */
  values: readonly Value[]
}

/** A property is named by the keys that lead to it: `['address', 'city']`. */
export type Field = 'event_type' | 'user_id' | readonly string[]

/**
 * `=` and `in` are false where the field is missing. `<` and its kin compare numbers with numbers, and are false for anything else.
 * `contains`, `starts_with`, `ends_with` and `matches` (RE2) look at text, and are false for anything else.
 */
export const OPERATORS = [
  '=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  'contains',
  'starts_with',
  'ends_with',
  'matches',
  'exists',
] as const
export type Operator = (typeof OPERATORS)[number]

export const ORDER_OPERATORS = ['<', '<=', '>', '>='] as const satisfies readonly Operator[]
export const TEXT_OPERATORS = [
  'contains',
  'starts_with',
  'ends_with',
  'matches',
] as const satisfies readonly Operator[]

/**
 * Quoted, it is text and equals text alone. Otherwise it is whatever it looks like: `42` equals the number 42 and the text `42`, `true` the
 * boolean and the text, `null` the JSON null and the text.
 */
export interface Value {
  text: string
  quoted: boolean
}

/** Characters of an expression. */
export const FILTER_CHARS_MAX = 4_096
/** Parentheses, `not`, and groups of the JSON form within each other. */
export const FILTER_DEPTH_MAX = 16
/** Tests in one filter. */
export const FILTER_TESTS_MAX = 64
/** Values of one `in`. */
export const FILTER_VALUES_MAX = 100
/** Keys that lead to one property. */
export const FILTER_KEYS_MAX = 8

/** A JSON number as text: what `<` compares with. */
export const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?$/

/** @returns what a test must not say, or null if it makes sense */
export function faultOf({ field, op, values }: Test): string | null {
  if (values.some(({ text }) => text.includes('\0') || !text.isWellFormed()))
    return 'a value is not valid text'
  const is_order = ORDER_OPERATORS.some((order) => order === op)
  if (is_order && typeof field === 'string') return `${op} compares numbers, and ${field} is text`
  if (is_order && !values.every(({ text, quoted }) => !quoted && NUMBER.test(text))) {
    return `${op} compares with a number, such as ${op} 10`
  }
  return null
}

/** All tests of a filter, from left to right. */
export function testsOf(filter: Filter): Test[] {
  if ('and' in filter) return filter.and.flatMap(testsOf)
  if ('or' in filter) return filter.or.flatMap(testsOf)
  return 'not' in filter ? testsOf(filter.not) : [filter]
}
