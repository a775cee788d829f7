import type * as v from 'valibot'
import { FILTER_VALUES_MAX } from '../../filter/tree.ts'
import type { Definition } from '../../questions/parts/definition.ts'
import { COMMON } from '../../questions/parts/parameters.ts'
import { SEGMENT_CHARS_MAX, SEGMENTS_MAX } from '../../questions/parts/segments.ts'
import { jsonSchemaOf } from './json-schema.ts'
import type { Json } from './json-schema.ts'

/** Query parameters, as OpenAPI objects. */

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  from: 'First day.',
  to: 'Last day, inclusive.',
  tz: 'Time zone of all days, by its IANA name.',
  week_start: 'First day of a week.',
  where: 'A filter, such as `properties.plan = pro and not event_type in (a, b)`.',
  start_date: 'First day of window 0. The cohort is every user active in window 0.',
  windows: 'Number of windows after window 0.',
  window: 'Length of a window.',
  limit: 'Maximum number of entries.',
  cursor: 'The `next_cursor` of the previous page; the filters must be the same.',
  format: 'Overrides `Accept`.',
  reason: 'A field name, or a complete error message.',
}

/** Converts an object schema to query parameters, one for each entry. */
export function queryOf(
  schema: v.ObjectSchema<v.ObjectEntries, undefined> | v.StrictObjectSchema<v.ObjectEntries, undefined>,
): Json[] {
  const { properties, required } = jsonSchemaOf(schema) as {
    properties: Record<string, Json>
    required: readonly string[]
  }
  return Object.entries(properties).map(([name, part]) => inQuery(name, part, required.includes(name)))
}

export function inQuery(
  name: string,
  schema: Json,
  required = false,
  description = DESCRIPTIONS[name],
): Json {
  return { name, in: 'query', required, schema, ...(description === undefined ? {} : { description }) }
}

const segment = { type: 'string', maxLength: SEGMENT_CHARS_MAX }

/** The filters of every stats route. All of them must match. */
export const FILTERS: readonly Json[] = [
  {
    ...inQuery('segment', { type: 'array', items: segment, maxItems: SEGMENTS_MAX }),
    style: 'form',
    explode: true,
    description:
      '`event_type:purchase`, `user_id:anna` or `properties.country:UA,PL`; ' +
      `matches any of up to ${FILTER_VALUES_MAX} values. A comma within a value is \`\\,\`. All segments must match.`,
  },
  {
    // style form with explode: each key of the object is a parameter.
    ...inQuery('properties', {
      type: 'object',
      propertyNames: { pattern: '^properties\\..' },
      additionalProperties: segment,
    }),
    style: 'form',
    explode: true,
    description: '`properties.country=UA` is short for `segment=properties.country:UA`.',
  },
]

const format = inQuery('format', { enum: ['json', 'csv'] })

/** All parameters of a question. */
export function parametersOf({ parameters }: Definition): Json[] {
  return [...queryOf(parameters), ...queryOf(COMMON), ...FILTERS, format]
}
