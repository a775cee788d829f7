import type { DuckValue } from '../store/duckdb.ts'
import type { Segment } from './question.ts'

/**
 * One filter as SQL. Text equals text, a number equals a number of the same value digit by digit, an array equals each of its elements, and
 * what is missing equals nothing.
 */

/** Binds a value and returns its placeholder. */
type Bind = (value: DuckValue) => string

/** @returns a condition over `event_type`, `user_id` and `properties` */
export function condition({ field, values }: Segment, bind: Bind): string {
  if (typeof field === 'string') return isAmong(field, values, bind)
  const paths = pathsOf(field.property).map(bind)
  const first = (function_name: string) => {
    const values_at = paths.map((path) => `${function_name}(properties, ${path})`)
    return values_at.length === 1 ? values_at[0]! : `coalesce(${values_at.join(', ')})`
  }
  const text = first('json_extract_string')
  const whole = matches(
    text,
    first('json_type'),
    (expression, among) => isAmong(expression, among, bind),
    values,
    bind,
  )
  // A lambda takes no subquery, and so no set.
  const element = matches(
    `(element ->> '$')`,
    'json_type(element)',
    (expression, among) => `list_contains([${among.map(bind).join(', ')}], ${expression})`,
    values,
    bind,
  )
  // Most values are no arrays, and looking at the first character costs nothing.
  return `(${whole} OR CASE WHEN starts_with(${text}, '[') THEN
    len(list_filter(from_json(${first('json_extract')}, '["JSON"]'), lambda element: ${element})) > 0 ELSE false END)`
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
 * @param among SQL that tells whether a text is one of several
 */
function matches(
  text: string,
  type: string,
  among: (expression: string, values: readonly string[]) => string,
  values: readonly string[],
  bind: Bind,
): string {
  const tests = [among(text, values)]
  if (values.includes('null')) tests.push(`${type} = 'NULL'`)
  const numbers = values.flatMap((value) => plainNumber(value) ?? [])
  if (numbers.length > 0) {
    const doubles = numbers.filter(isShort).map((number) => `${bind(number)}::DOUBLE`)
    const is_number = `${type} IN ('UBIGINT', 'BIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')`
    const short =
      doubles.length === 0 ? 'false' : `list_contains([${doubles.join(', ')}], TRY_CAST(${text} AS DOUBLE))`
    // Two numbers of more digits may be one double and are compared as they are written, without zeros at their end.
    const long = among(`rtrim(regexp_replace(${text}, '(\\.\\d*?)0+$', '\\1'), '.')`, numbers)
    tests.push(
      `(${is_number} AND CASE WHEN strlen(${text}) <= ${SHORT_DIGITS} THEN ${short} ELSE ${long} END)`,
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
