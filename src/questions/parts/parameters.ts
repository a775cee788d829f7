import * as v from 'valibot'
import { isZone, UTC } from '../../calendar/zone.ts'
import type { Zone } from '../../calendar/interval.ts'
import { formatDay, parseDay } from '../../event/time.ts'
import type { Micros } from '../../event/time.ts'
import type { Filter } from '../../filter/tree.ts'
import { Problem } from '../../problem/problem.ts'
import type { ProblemEntry } from '../../problem/problem.ts'
import type { Asked, Days } from './asked.ts'
import type { Definition } from './definition.ts'
import { expression } from './expression.ts'
import { readSegments, PROPERTY_PREFIX } from './segments.ts'

/** Reads questions from query strings. */

/** Ten years of days. */
export const RANGE_DAYS_MAX = 3_660

/** Every parameter of a URL with all its values. */
export type Query = Readonly<Record<string, string[]>>

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

/** One of some words; the message names them. */
export function choice<const T extends readonly [string, ...string[]]>(words: T) {
  return v.picklist(words, `must be ${words.join(' or ')}`)
}

/** The days of most questions. */
export const RANGE = { from: day, to: day }

/** What every question takes beside its own. */
export const COMMON = v.object({
  tz: v.optional(
    v.pipe(
      v.string(),
      v.metadata({ json_schema: { type: 'string' } }),
      v.check(isZone, 'must be the name of a time zone, such as Europe/Kyiv'),
    ),
    UTC,
  ),
  week_start: v.optional(choice(['monday', 'sunday']), 'monday'),
  where: v.optional(expression),
})

/**
 * Reads a question.
 * @throws {Problem} `invalid_parameter`, with every invalid parameter
 */
export function parseQuestion(definition: Definition, query: Query, now_us: Micros): Asked {
  const read = readParameters(v.object({ ...definition.parameters.entries, ...COMMON.entries }), query)
  const { errors, filters } = read
  if (read.output !== null && errors.length === 0) {
    const { tz, week_start, where: condition, ...parameters } = read.output as v.InferOutput<typeof COMMON>
    errors.push(...(definition.faults?.(parameters) ?? []))
    const days = definition.days(parameters)
    const fault = rangeFault(days, definition.days_parameters)
    if (fault !== null) errors.push(fault)
    if (errors.length === 0) {
      const zone: Zone = { zone: tz, week_start }
      const filter = allOf(condition === undefined ? filters : [condition, ...filters])
      return { name: definition.name, parameters, days, zone, filter, now_us }
    }
  }
  throw refuse(errors)
}

/** The filter that all of these make. */
export function allOf(filters: readonly Filter[]): Filter | null {
  return filters.length > 1 ? { and: filters } : (filters[0] ?? null)
}

export function refuse(errors: readonly ProblemEntry[]): Problem {
  return new Problem('invalid_parameter', describe(errors), { errors })
}

export function describe(errors: readonly ProblemEntry[]): string {
  return errors.map(({ path, message }) => `${path} ${message}`.trim()).join('; ')
}

type ParameterSchema = v.ObjectSchema<v.ObjectEntries, undefined>

/**
 * Reads the parameters of one route, each given at most once, and its segments.
 * @param short fields whose segments may also be given as parameters, such as `user_id=…`
 */
export function readParameters<S extends ParameterSchema>(
  schema: S,
  query: Query,
  short: readonly ('user_id' | 'event_type')[] = [],
): { output: v.InferOutput<S> | null; filters: Filter[]; errors: ProblemEntry[] } {
  const errors: ProblemEntry[] = []
  const filters = readSegments(query, short, errors)
  const names = Object.keys(schema.entries)
  for (const name of Object.keys(query)) {
    if ([...names, ...short, 'segment'].includes(name) || name.startsWith(PROPERTY_PREFIX)) continue
    // Not ignored: with a misspelt filter, the reply would answer another question.
    const known = [...names, ...short, 'segment', 'properties.<key>']
    errors.push({ path: '', message: `unknown parameter; this question takes ${known.join(', ')}` })
  }
  const given: Record<string, string | string[]> = {}
  for (const name of names) {
    const values = query[name]
    if (values === undefined) continue
    const is_list = takesSeveral(schema.entries[name]!)
    if (values.length > 1 && !is_list) errors.push({ path: name, message: 'may be given only once' })
    given[name] = is_list ? values : values[0]!
  }
  const result = v.safeParse(schema, given)
  for (const issue of result.issues ?? []) {
    const path = String(issue.path?.[0]?.key ?? '')
    errors.push({ path, message: given[path] === undefined ? missing(schema, path) : issue.message })
  }
  return { output: result.success ? result.output : null, filters, errors }
}

/** Whether a parameter is a list, which may be given more than once. */
export function takesSeveral(schema: v.ObjectEntries[string]): boolean {
  return schema.type === 'array' || ('wrapped' in schema && takesSeveral(schema.wrapped as typeof schema))
}

function missing({ entries }: ParameterSchema, name: string): string {
  return entries[name] !== undefined && takesSeveral(entries[name])
    ? 'is required'
    : 'is required, as YYYY-MM-DD'
}

const LAST_DAY = parseDay('9999-12-31')!

export function rangeFault(
  { from, to }: Days,
  blamed: NonNullable<Definition['days_parameters']> = { first: 'from', last: 'to', count: 'to' },
): ProblemEntry | null {
  if (from > to) return { path: 'from', message: 'must not be after to' }
  if (to - from >= RANGE_DAYS_MAX) {
    return { path: blamed.count, message: `the range may have at most ${RANGE_DAYS_MAX} days` }
  }
  if (from < 0 || to > LAST_DAY) {
    const message = `all days must be between ${formatDay(0)} and ${formatDay(LAST_DAY)}`
    return { path: from < 0 ? blamed.first : blamed.last, message }
  }
  return null
}
