import * as v from 'valibot'
import { parseFilter } from '../../filter/parse.ts'
import { FilterError } from '../../filter/tokens.ts'
import { FILTER_CHARS_MAX } from '../../filter/tree.ts'
import type { Filter } from '../../filter/tree.ts'
import { parseSegment } from './segments.ts'

/** A filter as a parameter: an expression, or the short form `event_type:buy`. */

const SHORT = /^\s*event_type:/

export const expression = v.pipe(
  v.string(),
  v.metadata({ json_schema: { type: 'string', maxLength: FILTER_CHARS_MAX } }),
  v.rawTransform(({ dataset, addIssue, NEVER }): Filter => {
    const text = dataset.value
    try {
      if (!SHORT.test(text)) return parseFilter(text)
      const segment = parseSegment(text.trim())
      if (typeof segment !== 'string') return segment
      addIssue({ message: segment })
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      addIssue({ message: error.message })
    }
    return NEVER
  }),
)

/** A parameter that is given several times. */
export function several(min: number, max: number) {
  const message = `must be given ${min} to ${max} times`
  return v.pipe(v.array(expression, message), v.minLength(min, message), v.maxLength(max, message))
}
