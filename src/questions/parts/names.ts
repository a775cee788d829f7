import * as v from 'valibot'
import type { Bind } from '../../sql/statement.ts'

/** What questions about names share: names of events, of properties and of their values. */

export const NAMES_MAX = 1_000
export const SEARCH_CHARS_MAX = 200

const FAULT = `must be a text of at most ${SEARCH_CHARS_MAX} characters`

export const search = v.optional(
  v.pipe(
    v.string(),
    v.metadata({ json_schema: { type: 'string', maxLength: SEARCH_CHARS_MAX } }),
    v.maxLength(SEARCH_CHARS_MAX, FAULT),
    v.check((text) => !text.includes('\0') && text.isWellFormed(), FAULT),
  ),
)

/** A condition on a name. */
export function searched(name: string, text: string | undefined, bind: Bind): string {
  return text === undefined ? 'true' : `contains(lower(${name}), lower(${bind(text)}))`
}
