import type { Field, Filter } from '../../filter/tree.ts'
import { FILTER_VALUES_MAX } from '../../filter/tree.ts'
import type { ProblemEntry } from '../../problem/problem.ts'

/** The short forms of filters: `segment=event_type:a,b` and `properties.plan=pro`. Each is the test `in` of a filter. */

export const SEGMENTS_MAX = 16
export const SEGMENT_CHARS_MAX = 2_048
export const PROPERTY_PREFIX = 'properties.'

/**
 * @param short fields that may be given as parameters of their own
 * @param errors takes what is wrong
 */
export function readSegments(
  query: Readonly<Record<string, string[]>>,
  short: readonly string[],
  errors: ProblemEntry[],
): Filter[] {
  const written = (query['segment'] ?? []).map((text) => ({
    path: 'segment',
    text,
    colon: text.indexOf(':'),
  }))
  for (const [name, values] of Object.entries(query)) {
    if (!name.startsWith(PROPERTY_PREFIX) && !short.includes(name)) continue
    const path = short.includes(name) ? name : 'properties'
    // The key may contain a colon here, because the name ends at `=`.
    if (values.length > 1) errors.push({ path, message: GIVEN_TWICE })
    written.push({ path, text: `${name}:${values[0]}`, colon: name.length })
  }
  if (written.length > SEGMENTS_MAX) {
    errors.push({ path: 'segment', message: `at most ${SEGMENTS_MAX} segments` })
    return []
  }
  const filters: Filter[] = []
  for (const { path, text, colon } of written) {
    const segment = parseSegment(text, colon)
    if (typeof segment === 'string') errors.push({ path, message: segment })
    else filters.push(segment)
  }
  return filters
}

/** Of a value that is no list, nothing has two. */
const GIVEN_TWICE =
  'is given twice; for either value write them once, with a comma, and where both must hold use segment for each'

const SEGMENT_FORM = 'must be event_type:…, user_id:… or properties.<key>:…, with values separated by commas'

/**
 * Parses `field:value,value`; within a value, a comma is `\,` and a backslash `\\`.
 * @returns the segment, or an error message
 */
export function parseSegment(text: string, colon = text.indexOf(':')): Filter | string {
  if (text.length > SEGMENT_CHARS_MAX) return `must have at most ${SEGMENT_CHARS_MAX} characters`
  if (text.includes('\0') || !text.isWellFormed()) return SEGMENT_FORM
  if (colon === -1) return SEGMENT_FORM
  const name = text.slice(0, colon)
  const values = splitValues(text.slice(colon + 1))
  if (values.some((value) => value === '')) return 'must not have an empty value'
  if (values.length > FILTER_VALUES_MAX) return `may have at most ${FILTER_VALUES_MAX} values`
  const field = fieldOf(name)
  if (field === null) return SEGMENT_FORM
  return { field, op: 'in', values: values.map((value) => ({ text: value, quoted: false })) }
}

/** `properties.a.b` is the key `b` of `a`; a key with dots at its ends or two in a row is one key. */
function fieldOf(name: string): Field | null {
  if (name === 'event_type' || name === 'user_id') return name
  const property = name.startsWith(PROPERTY_PREFIX) ? name.slice(PROPERTY_PREFIX.length) : ''
  if (property === '') return null
  const keys = property.split('.')
  return keys.includes('') ? [property] : keys
}

function splitValues(text: string): string[] {
  const values = ['']
  for (const [, escaped, plain] of text.matchAll(/\\([,\\])|([\s\S])/gu)) {
    if (plain === ',') values.push('')
    else values[values.length - 1] += escaped ?? plain!
  }
  return values
}
