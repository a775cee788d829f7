import { ExactNumber } from '../../event/json.ts'
import { readFilter } from '../../filter/json.ts'
import { printFilter } from '../../filter/print.ts'
import { FilterError } from '../../filter/tokens.ts'
import type { ProblemEntry } from '../../problem/problem.ts'
import { refuse } from './parameters.ts'
import type { Query } from './parameters.ts'

/** Questions as JSON: the parameters of the URL by name; a filter may also be a tree, and what is given several times a list. */

/** Bytes of a body. */
export const QUESTION_BYTES_MAX = 65_536

const FAULT = 'must be a text, a number, a boolean, a filter, or a list of these'

/** @throws {Problem} `invalid_parameter` */
export function queryOfBody(json: unknown): Query {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw refuse([{ path: '', message: 'the body must be an object of parameters' }])
  }
  const errors: ProblemEntry[] = []
  const query = Object.entries(json).flatMap(([name, value]): [string, string[]][] => {
    try {
      return [[name, [value as unknown].flat().map(textOf)]]
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      // The name is the client's, and what a client sent is not repeated.
      errors.push({ path: /^[a-z_]+$/.test(name) ? name : '', message: error.message })
      return []
    }
  })
  if (errors.length > 0) throw refuse(errors)
  return Object.fromEntries(query)
}

function textOf(value: unknown): string {
  if (value instanceof ExactNumber) return value.text
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return printFilter(readFilter(value))
  throw new FilterError(FAULT)
}
