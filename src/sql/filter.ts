import { printFilter } from '../filter/print.ts'
import type { Field, Filter, Test, Value } from '../filter/tree.ts'
import { isNumber, propertyOf } from './property.ts'
import type { Property } from './property.ts'
import type { Bind } from './statement.ts'

/**
 * Compiles a filter to a condition over `event_type`, `user_id` and `properties`. It is true where the filter holds, and false or NULL
 * elsewhere. Every value is bound.
 */
export function conditionOf(filter: Filter, bind: Bind): string {
  const join = (parts: readonly Filter[], word: string) =>
    `(${parts.map((part) => conditionOf(part, bind)).join(` ${word} `)})`
  if ('and' in filter) return join(filter.and, 'AND')
  if ('or' in filter) return join(filter.or, 'OR')
  // Only a negation tells NULL from false.
  if ('not' in filter) return `NOT coalesce(${conditionOf(filter.not, bind)}, false)`
  return testOf(filter, bind)
}

const TEXT_FUNCTIONS = {
  contains: 'contains',
  starts_with: 'starts_with',
  ends_with: 'ends_with',
  matches: 'regexp_matches',
} as const

function testOf(test: Test, bind: Bind): string {
  const { field, op, values } = test
  const [value] = values
  switch (op) {
    case '=':
    case 'in':
      return equalsAny(field, values, bind)
    case 'exists':
      return typeof field === 'string' ? 'true' : `${propertyOf(field, bind).type} IS NOT NULL`
    case '<':
    case '<=':
    case '>':
    case '>=': {
      if (typeof field === 'string') throw new Error(`no such test: ${printFilter(test)}`)
      const property = propertyOf(field, bind)
      return `CASE WHEN ${isNumber(property)} THEN TRY_CAST(${property.text} AS DOUBLE) ${op} ${bind(value!.text)}::DOUBLE ELSE false END`
    }
    case 'contains':
    case 'starts_with':
    case 'ends_with':
    case 'matches': {
      const call = (text: string) => `${TEXT_FUNCTIONS[op]}(${text}, ${bind(value!.text)})`
      if (typeof field === 'string') return call(field)
      const { type, text } = propertyOf(field, bind)
      return `CASE WHEN ${type} = 'VARCHAR' THEN ${call(text)} ELSE false END`
    }
  }
}

function equalsAny(field: Field, values: readonly Value[], bind: Bind): string {
  if (typeof field === 'string') return isAmong(field, textsOf(values), bind)
  const property = propertyOf(field, bind)
  const whole = matches(property, isAmong, values, bind)
  // A lambda takes no subquery, and so no set.
  const element = matches(
    { text: `(element ->> '$')`, type: 'json_type(element)' },
    (expression, texts, bindText) => `list_contains([${texts.map(bindText).join(', ')}], ${expression})`,
    values,
    bind,
  )
  // Most values are no arrays, and looking at the first character costs nothing.
  return `(${whole} OR CASE WHEN starts_with(${property.text}, '[') THEN
    len(list_filter(from_json(${property.json}, '["JSON"]'), lambda element: ${element})) > 0 ELSE false END)`
}

const textsOf = (values: readonly Value[]) => values.map(({ text }) => text)

/** Whether a JSON value that is no array is one of these. */
function matches(
  { text, type }: Pick<Property, 'text' | 'type'>,
  among: (expression: string, texts: readonly string[], bind: Bind) => string,
  values: readonly Value[],
  bind: Bind,
): string {
  const quoted = values.filter((value) => value.quoted)
  const bare = textsOf(values.filter((value) => !value.quoted))
  const tests: string[] = []
  if (quoted.length > 0) tests.push(`(${type} = 'VARCHAR' AND ${among(text, textsOf(quoted), bind)})`)
  if (bare.length > 0) tests.push(among(text, bare, bind))
  if (bare.includes('null')) tests.push(`${type} = 'NULL'`)
  const numbers = bare.flatMap((value) => plainNumber(value) ?? [])
  if (numbers.length > 0) {
    const doubles = numbers.filter(isShort).map((number) => `${bind(number)}::DOUBLE`)
    const short =
      doubles.length === 0 ? 'false' : `list_contains([${doubles.join(', ')}], TRY_CAST(${text} AS DOUBLE))`
    // Two numbers of more digits may be one double and are compared as they are written, without zeros at their end.
    const long = among(`rtrim(regexp_replace(${text}, '(\\.\\d*?)0+$', '\\1'), '.')`, numbers, bind)
    tests.push(
      `(${isNumber({ type })} AND CASE WHEN strlen(${text}) <= ${SHORT_DIGITS} THEN ${short} ELSE ${long} END)`,
    )
  }
  return `(${tests.join(' OR ')})`
}

/** From so many values on, a set that is looked up is faster than comparing with one after the other. */
const SET_VALUES_MIN = 4

function isAmong(expression: string, values: readonly string[], bind: Bind): string {
  const list = values.map((value) => bind(value)).join(', ')
  return values.length < SET_VALUES_MIN
    ? `${expression} IN (${list})`
    : `${expression} IN (SELECT unnest([${list}]))`
}

/** A double tells apart all numbers of so many digits. */
const SHORT_DIGITS = 15

function isShort(number: string): boolean {
  return number.replaceAll(/[-.]/g, '').replaceAll(/^0+|0+$/g, '').length <= SHORT_DIGITS
}

/** Not all that `Number()` takes: 007, 0x10 and an empty text are texts. */
const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
/** An exponent beyond it makes more digits than any property has. */
const EXPONENT_MAX = 400

/** A JSON number without exponent and without zeros that say nothing; null for what is none. */
function plainNumber(text: string): string | null {
  const [, sign, whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? []
  const shift = Number(exponent)
  if (whole === '' || Math.abs(shift) > EXPONENT_MAX) return null
  const point = whole.length + shift
  const digits = (whole + fraction)
    .padEnd(point, '0')
    .padStart(whole.length + fraction.length - Math.min(point, 0), '0')
  const at = Math.max(point, 0)
  const integer = digits.slice(0, at).replace(/^0+/, '') || '0'
  const rest = digits.slice(at).replace(/0+$/, '')
  const plain = rest === '' ? integer : `${integer}.${rest}`
  return plain === '0' ? plain : `${sign}${plain}`
}
