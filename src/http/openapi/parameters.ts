import type * as v from 'valibot'
import {
  SEGMENT_CHARS_MAX,
  SEGMENT_VALUES_MAX,
  SEGMENTS_MAX,
  QUESTION_SCHEMAS,
} from '../../query/parameters.ts'
import { jsonSchemaOf } from './json-schema.ts'
import type { Json } from './json-schema.ts'

/** Parameters of addresses, as the document writes them. */

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  from: 'First day, UTC.',
  to: 'Last day, UTC; included.',
  start_date: 'First day of window 0, in which the cohort was active.',
  windows: 'How many windows after window 0.',
  window: 'How long a window is.',
  limit: 'How many entries at most.',
  cursor: 'The `next_cursor` of the page before, with the same filters.',
  format: 'Goes before `Accept`.',
  reason: 'A field that was wrong, or a whole message.',
}

/** The query parameters that an object schema reads. */
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

/** Filters, of which all must hold. */
export const FILTERS: readonly Json[] = [
  {
    ...inQuery('segment', { type: 'array', items: segment, maxItems: SEGMENTS_MAX }),
    style: 'form',
    explode: true,
    description:
      '`event_type:purchase`, `user_id:anna` or `properties.country:UA,PL`; ' +
      `one of up to ${SEGMENT_VALUES_MAX} values, and a comma within a value is \`\\,\`. All segments must hold.`,
  },
  {
    // Each key of the object is a parameter of its own.
    ...inQuery('properties', {
      type: 'object',
      propertyNames: { pattern: '^properties\\..' },
      additionalProperties: segment,
    }),
    style: 'form',
    explode: true,
    description: '`properties.country=UA`: short for `segment=properties.country:UA`.',
  },
]

const format = inQuery('format', { enum: ['json', 'csv'] })

export const DAU_PARAMETERS = [...queryOf(QUESTION_SCHEMAS.dau), ...FILTERS, format]
export const TOP_EVENTS_PARAMETERS = [...queryOf(QUESTION_SCHEMAS.top_events), ...FILTERS, format]
export const RETENTION_PARAMETERS = [...queryOf(QUESTION_SCHEMAS.retention), ...FILTERS, format]
