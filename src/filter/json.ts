import * as v from 'valibot'
import { ExactNumber } from '../event/json.ts'
import { parseField } from './parse.ts'
import { FilterError } from './tokens.ts'
import { faultOf, FILTER_DEPTH_MAX, FILTER_TESTS_MAX, FILTER_VALUES_MAX, OPERATORS, testsOf } from './tree.ts'
import type { Filter, Test, Value } from './tree.ts'

/**
 * Reads the JSON form of a filter: `{"field":"properties.plan","op":"=","value":"pro"}`, for `in` with `values`, for `exists` with neither;
 * `{"and":[…]}`, `{"or":[…]}`, `{"not":…}`. A text is text alone; a number, boolean or null is as without quotes in an expression.
 */

const scalar = v.union([v.string(), v.number(), v.instance(ExactNumber), v.boolean(), v.null()])

const test = v.strictObject({
  field: v.string('must be a text'),
  op: v.picklist([...OPERATORS, '!=', 'not in'], `must be one of != not in ${OPERATORS.join(' ')}`),
  value: v.optional(scalar),
  values: v.optional(v.pipe(v.array(scalar), v.minLength(1), v.maxLength(FILTER_VALUES_MAX))),
})

/** @throws {FilterError} */
export function readFilter(json: unknown): Filter {
  const filter = read(json, 0)
  if (testsOf(filter).length > FILTER_TESTS_MAX)
    throw new FilterError(`has more than ${FILTER_TESTS_MAX} tests`)
  return filter
}

function read(json: unknown, depth: number): Filter {
  if (depth > FILTER_DEPTH_MAX) throw new FilterError(`is nested more than ${FILTER_DEPTH_MAX} deep`)
  if (typeof json !== 'object' || json === null)
    throw new FilterError('must be an object with and, or, not, or field')
  const keys = Object.keys(json)
  const part = json as { and?: unknown; or?: unknown; not?: unknown }
  if (keys.length === 1 && 'not' in part) return { not: read(part.not, depth + 1) }
  for (const name of ['and', 'or'] as const) {
    const list = part[name]
    if (keys.length !== 1 || list === undefined) continue
    if (!Array.isArray(list) || list.length === 0)
      throw new FilterError(`${name} must be a list of at least one filter`)
    if (list.length > FILTER_TESTS_MAX) throw new FilterError(`has more than ${FILTER_TESTS_MAX} tests`)
    const filters = list.map((each) => read(each, depth + 1))
    if (filters.length === 1) return filters[0]!
    return name === 'and' ? { and: filters } : { or: filters }
  }
  return readTest(json)
}

function readTest(json: object): Filter {
  const { success, output, issues } = v.safeParse(test, json)
  if (!success) {
    const [issue] = issues
    throw new FilterError(`${v.getDotPath(issue) ?? 'a test'}: ${issue.message}`)
  }
  const { op: name, value, values } = output
  const op = name === '!=' ? '=' : name === 'not in' ? 'in' : name
  const given = op === 'in' ? values : op === 'exists' ? [] : value === undefined ? undefined : [value]
  const count = Object.keys(json).length - 2
  if (given === undefined || count !== (op === 'exists' ? 0 : 1)) {
    throw new FilterError(
      `${name} takes ${op === 'in' ? 'values' : op === 'exists' ? 'neither value nor values' : 'value'}`,
    )
  }
  const filter: Test = { field: parseField(output.field), op, values: given.map(valueOf) }
  const fault = faultOf(filter)
  if (fault !== null) throw new FilterError(fault)
  return op === name ? filter : { not: filter }
}

function valueOf(value: v.InferOutput<typeof scalar>): Value {
  if (typeof value === 'string') return { text: value, quoted: true }
  return { text: value instanceof ExactNumber ? value.text : String(value), quoted: false }
}
