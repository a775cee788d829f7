import * as v from 'valibot'
import { formatDay } from '../event/time.ts'
import { parseField } from '../filter/parse.ts'
import { printField } from '../filter/print.ts'
import { FilterError } from '../filter/tokens.ts'
import type { Field } from '../filter/tree.ts'
import { propertyOf } from '../sql/property.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE } from './parts/examples.ts'
import { COUNT, DAY, listOf, objectOf, TEXT } from './parts/json-schema.ts'
import { NAMES_MAX, search, searched } from './parts/names.ts'
import { integer, RANGE } from './parts/parameters.ts'

/** Longer values are no choice in a form. */
const VALUE_CHARS_MAX = 200

const property = v.pipe(
  v.string('is required, as properties.<key>'),
  v.metadata({ json_schema: { type: 'string' } }),
  v.rawTransform(({ dataset, addIssue, NEVER }): Exclude<Field, string> => {
    try {
      const field = parseField(dataset.value)
      if (typeof field !== 'string') return field
      addIssue({ message: 'must be properties.<key>; event types are at /stats/event-types' })
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      addIssue({ message: error.message })
    }
    return NEVER
  }),
)

export interface PropertyValuesAnswer {
  from: string
  to: string
  property: string
  data: { value: string | null; count: number }[]
}

export const propertyValues = define({
  name: 'property-values',
  kind: 'property_values',
  title: 'Values of a property',
  text:
    'The values of one property, the most frequent first, as text: what `group_by` calls its groups. Events without the property are not counted; `null` is the JSON null. ' +
    `Values of more than ${VALUE_CHARS_MAX} characters are left out.`,
  parameters: v.object({ ...RANGE, property, search, limit: v.optional(integer(1, NAMES_MAX), '100') }),
  parameter_texts: { property: '`properties.<key>` or `properties["any key"]`.' },
  days: ({ from, to }) => ({ from, to }),
  sql({ parameters: p }, { select, bind }) {
    const { text, type } = propertyOf(p.property, bind)
    return `
      SELECT value, count(*)::DOUBLE AS n FROM (${select(`${text} AS value, ${type} AS type`)})
      WHERE type IS NOT NULL AND coalesce(length(value), 0) <= ${VALUE_CHARS_MAX} AND ${searched('value', p.search, bind)}
      GROUP BY value ORDER BY n DESC, value NULLS LAST LIMIT ${bind(p.limit)}`
  },
  answer({ parameters, days }, rows): PropertyValuesAnswer {
    return {
      from: formatDay(days.from),
      to: formatDay(days.to),
      property: printField(parameters.property),
      data: rows.map(([value, count]) => ({
        value: value === null ? null : String(value),
        count: Number(count),
      })),
    }
  },
  csv: ({ data }) => [['value', 'count'], ...data.map((d) => [d.value, d.count])],
  schema: {
    name: 'PropertyValues',
    of: objectOf({
      from: DAY,
      to: DAY,
      property: TEXT,
      data: listOf(objectOf({ value: { type: ['string', 'null'] }, count: COUNT })),
    }),
  },
  examples: {
    property_values: {
      summary: 'Countries of purchases',
      query: `${EXAMPLE_RANGE}&property=properties.country&where=event_type+%3D+purchase`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          property: 'properties.country',
          data: [{ value: 'PL', count: 1 }],
        },
      },
    },
    property_values_of_no_property: {
      summary: 'A field that is no property',
      query: `${EXAMPLE_RANGE}&property=event_type`,
      reply: {
        errors: [
          { path: 'property', message: 'must be properties.<key>; event types are at /stats/event-types' },
        ],
      },
    },
  },
})
