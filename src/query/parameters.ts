import * as v from 'valibot'
import { formatDay, parseDay } from '../event/time.ts'
import type { Day } from '../event/time.ts'
import { Problem } from '../problem/problem.ts'
import type { ProblemEntry } from '../problem/problem.ts'
import { daysAskedFor } from './question.ts'
import type { Question, Segment } from './question.ts'

/** Parses questions from query strings. */

/** Ten years of days. */
export const RANGE_DAYS_MAX = 3_660
export const TOP_EVENTS_LIMIT_MAX = 1_000
export const RETENTION_WINDOWS_MAX = 366
export const SEGMENTS_MAX = 16
export const SEGMENT_VALUES_MAX = 100
export const SEGMENT_CHARS_MAX = 2_048

export const day = v.pipe(
  v.string('is required, as YYYY-MM-DD'),
  v.metadata({ json_schema: { type: 'string', format: 'date' } }),
  v.transform(parseDay),
  v.number('must be a calendar day, YYYY-MM-DD'),
)

export function integer(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`
  return v.pipe(
    v.string(message),
    v.metadata({ json_schema: { type: 'integer', minimum: min, maximum: max } }),
    v.regex(/^\d{1,9}$/, message),
    v.transform(Number),
    v.minValue(min, message),
    v.maxValue(max, message),
  )
}

const range = { from: day, to: day }

/** The parameters of each question, without segments. */
export const QUESTION_SCHEMAS = {
  dau: v.object(range),
  top_events: v.object({ ...range, limit: v.optional(integer(1, TOP_EVENTS_LIMIT_MAX), '10') }),
  retention: v.object({
    start_date: day,
    windows: v.optional(integer(1, RETENTION_WINDOWS_MAX), '3'),
    window: v.optional(v.picklist(['day', 'week'], 'must be day or week'), 'day'),
  }),
} as const

const PROPERTY_PREFIX = 'properties.'

/**
 * Parses a question.
 * @param query every parameter of the URL with all its values
 * @throws {Problem} `invalid_parameter`, with every invalid parameter
 */
export function parseQuestion(kind: Question['kind'], query: Readonly<Record<string, string[]>>): Question {
  const { output, segments, errors } = readParameters<(typeof QUESTION_SCHEMAS)[typeof kind]>(
    QUESTION_SCHEMAS[kind],
    query,
  )
  if (output !== null && errors.length === 0) {
    const question = assemble(kind, output as Parsed, segments)
    const { from, to } = daysAskedFor(question)
    const fault = rangeFault(kind, from, to)
    if (fault === null) return question
    errors.push(fault)
  }
  throw refuse(errors)
}

export function refuse(errors: readonly ProblemEntry[]): Problem {
  return new Problem('invalid_parameter', describe(errors), { errors })
}

type ParameterSchema = v.ObjectSchema<v.ObjectEntries, undefined>

/**
 * Parses the parameters of one route, each given at most once, and its segments.
 * @param short fields whose segments may also be given as parameters, such as `user_id=…`
 */
export function readParameters<S extends ParameterSchema>(
  schema: S,
  query: Readonly<Record<string, string[]>>,
  short: readonly ('user_id' | 'event_type')[] = [],
): { output: v.InferOutput<S> | null; segments: Segment[]; errors: ProblemEntry[] } {
  const errors: ProblemEntry[] = []
  const segments = parseSegments(query, short, errors)
  const names = Object.keys(schema.entries)
  for (const name of Object.keys(query)) {
    if ([...names, ...short, 'segment'].includes(name) || name.startsWith(PROPERTY_PREFIX)) continue
    // Not ignored: with a misspelt filter, the reply would answer another question.
    const known = [...names, ...short, 'segment', 'properties.<key>']
    errors.push({ path: '', message: `unknown parameter; this question takes ${known.join(', ')}` })
  }
  const single: Record<string, string> = {}
  for (const name of names) {
    const values = query[name]
    if (values === undefined) continue
    if (values.length > 1) errors.push({ path: name, message: 'may be given only once' })
    single[name] = values[0]!
  }
  const result = v.safeParse(schema, single)
  for (const issue of result.issues ?? []) {
    const path = String(issue.path?.[0]?.key ?? '')
    const missing = single[path] === undefined
    errors.push({ path, message: missing ? 'is required, as YYYY-MM-DD' : issue.message })
  }
  return { output: result.success ? result.output : null, segments, errors }
}

interface Parsed {
  from: Day
  to: Day
  limit: number
  start_date: Day
  windows: number
  window: 'day' | 'week'
}

function assemble(kind: Question['kind'], parsed: Parsed, segments: Segment[]): Question {
  const { from, to, limit, start_date, windows, window } = parsed
  if (kind === 'dau') return { kind, from, to, segments }
  if (kind === 'top_events') return { kind, from, to, limit, segments }
  return { kind, start: start_date, windows, window, segments }
}

export function rangeFault(kind: Question['kind'] | 'events', from: Day, to: Day): ProblemEntry | null {
  if (from > to) return { path: 'from', message: 'must not be after to' }
  if (to - from >= RANGE_DAYS_MAX) {
    const path = kind === 'retention' ? 'windows' : 'to'
    return { path, message: `the range may have at most ${RANGE_DAYS_MAX} days` }
  }
  if (from < 0 || to > LAST_DAY) {
    const path = kind === 'retention' ? 'start_date' : from < 0 ? 'from' : 'to'
    return { path, message: `all days must be between ${formatDay(0)} and ${formatDay(LAST_DAY)}` }
  }
  return null
}

const LAST_DAY = parseDay('9999-12-31')!

function describe(errors: readonly ProblemEntry[]): string {
  return errors.map(({ path, message }) => `${path} ${message}`.trim()).join('; ')
}

function parseSegments(
  query: Readonly<Record<string, string[]>>,
  short: readonly string[],
  errors: ProblemEntry[],
): Segment[] {
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
  const segments: Segment[] = []
  for (const { path, text, colon } of written) {
    const segment = parseSegment(text, colon)
    if (typeof segment === 'string') errors.push({ path, message: segment })
    else segments.push(segment)
  }
  return segments
}

/** Of a value that is no list, nothing has two. */
const GIVEN_TWICE =
  'is given twice; for either value write them once, with a comma, and where both must hold use segment for each'

const SEGMENT_FORM = 'must be event_type:…, user_id:… or properties.<key>:…, with values separated by commas'

/**
 * Parses `field:value,value`; within a value, a comma is `\,` and a backslash `\\`.
 * @returns the segment, or an error message
 */
function parseSegment(text: string, colon: number): Segment | string {
  if (text.length > SEGMENT_CHARS_MAX) return `must have at most ${SEGMENT_CHARS_MAX} characters`
  if (text.includes('\0') || !text.isWellFormed()) return SEGMENT_FORM
  if (colon === -1) return SEGMENT_FORM
  const name = text.slice(0, colon)
  const values = splitValues(text.slice(colon + 1))
  if (values.some((value) => value === '')) return 'must not have an empty value'
  if (values.length > SEGMENT_VALUES_MAX) return `may have at most ${SEGMENT_VALUES_MAX} values`
  if (name === 'event_type' || name === 'user_id') return { field: name, values }
  const property = name.startsWith(PROPERTY_PREFIX) ? name.slice(PROPERTY_PREFIX.length) : ''
  return property === '' ? SEGMENT_FORM : { field: { property }, values }
}

function splitValues(text: string): string[] {
  const values = ['']
  for (const [, escaped, plain] of text.matchAll(/\\([,\\])|([\s\S])/gu)) {
    if (plain === ',') values.push('')
    else values[values.length - 1] += escaped ?? plain!
  }
  return values
}
