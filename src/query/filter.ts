import { sqlText } from '../store/duckdb.ts'
import type { Segment } from './question.ts'

/**
 * One filter as SQL. Text equals text, a number equals a number of the same value digit by digit, an array equals each of its elements, and
 * what is missing equals nothing.
 */

/** Binds a value and returns its placeholder. */
type Bind = (value: string) => string

/** @returns a condition over `event_type`, `user_id` and `properties` */
export function condition({ field, values }: Segment, bind: Bind): string {
  if (typeof field === 'string') return isAmong(field, values, bind)
  const paths = pathsOf(field.property).map(bind)
  const first = (function_name: string) => {
    const values_at = paths.map((path) => `${function_name}(properties, ${path})`)
    return values_at.length === 1 ? values_at[0]! : `coalesce(${values_at.join(', ')})`
  }
  const text = first('json_extract_string')
  const whole = matches(text, first('json_type'), values, bind)
  // Most values are no arrays, and looking at the first character costs nothing.
  return `(${whole} OR CASE WHEN starts_with(${text}, '[') THEN ${hasOne(first('json_extract'), values)} ELSE false END)`
}

/** `a.b` is the key `b` of the object `a`, or else the key `a.b`. */
function pathsOf(property: string): string[] {
  const whole = `/${escape(property)}`
  const parts = property.split('.')
  if (parts.length === 1 || parts.includes('')) return [whole]
  return [`/${parts.map(escape).join('/')}`, whole]
}

/** RFC 6901. */
function escape(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}

/**
 * Whether a JSON value that is no array is one of these.
 * @param text SQL of it as text
 * @param type SQL of its type
 */
function matches(text: string, type: string, values: readonly string[], bind: Bind): string {
  const tests = [isAmong(text, values, bind)]
  if (values.includes('null')) tests.push(`${type} = 'NULL'`)
  const { all, short } = numbersOf(values)
  const is_number = `${type} IN ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')`
  // The conditions are within the expression, because DuckDB looks up sets for all rows before it evaluates a CASE around them.
  const when = (digits: string, then: string) =>
    `CASE WHEN strlen(${text}) ${digits} ${SHORT_DIGITS} AND ${is_number} THEN ${then} END`
  if (short.length > 0)
    tests.push(
      isAmong(when('<=', `TRY_CAST(${text} AS DOUBLE)`), short, (number) => `${bind(number)}::DOUBLE`),
    )
  if (all.length > 0) tests.push(isAmong(when('>', withoutZeros(text)), all, bind))
  return `(${tests.join(' OR ')})`
}

/**
 * Whether one element of a JSON array is one of these. A subquery cannot be used for each element, and comparing
 * each with 100 values takes 10 µs a row, so that texts are looked up in an ENUM, which DuckDB hashes.
 * @param array SQL of the array
 */
function hasOne(array: string, values: readonly string[]): string {
  const tests = [inEnum(`json_extract_string(${array}, '$[*]')`, values)]
  // As JSON: a text has its quotes, so that it is no number.
  const elements = `json_extract(${array}, '$[*]')::VARCHAR[]`
  if (values.includes('null')) tests.push(`list_contains(${elements}, 'null')`)
  const { all, short } = numbersOf(values)
  if (short.length > 0) {
    const doubles = `TRY_CAST(list_filter(${elements}, lambda element: strlen(element) <= ${SHORT_DIGITS}) AS DOUBLE[])`
    const known = short.map((number) => `${sqlText(number)}::DOUBLE`).join(', ')
    tests.push(`len(list_filter(${doubles}, lambda number: number IN (${known}))) > 0`)
  }
  if (all.length > 0) {
    // Of all JSON only numbers begin with a character from - to 9.
    const long = `list_filter(${elements}, lambda element:
      strlen(element) > ${SHORT_DIGITS} AND element >= '-' AND element < ':')`
    tests.push(inEnum(`list_transform(${long}, lambda number: ${withoutZeros('number')})`, all))
  }
  return `(${tests.join(' OR ')})`
}

/** Two numbers of more digits may be one double and are compared as they are written, without zeros at their end. */
function withoutZeros(number: string): string {
  return `rtrim(regexp_replace(${number}, '(\\.\\d*?)0+$', '\\1'), '.')`
}

/** Whether one of a list of texts is one of these. */
function inEnum(texts: string, known: readonly string[]): string {
  return `list_count(TRY_CAST(${texts} AS ENUM(${[...new Set(known)].map(sqlText).join(', ')})[])) > 0`
}

/** The numbers among these values, and those of them that a double tells apart. */
function numbersOf(values: readonly string[]): { all: string[]; short: string[] } {
  const all = values.flatMap((value) => plainNumber(value) ?? [])
  return { all, short: all.filter(isShort) }
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
