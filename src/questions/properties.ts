import * as v from 'valibot'
import { formatDay } from '../event/time.ts'
import type { Row } from './parts/asked.ts'
import { define } from './parts/definition.ts'
import { EXAMPLE_RANGE, MISSING_TO } from './parts/examples.ts'
import { COUNT, DAY, listOf, objectOf, TEXT } from './parts/json-schema.ts'
import { NAMES_MAX, search, searched } from './parts/names.ts'
import { integer, RANGE } from './parts/parameters.ts'

/** DuckDB's names of JSON types as JSON has them. */
const TYPES: Readonly<Record<string, string>> = {
  VARCHAR: 'string',
  BOOLEAN: 'boolean',
  NULL: 'null',
  ARRAY: 'array',
  OBJECT: 'object',
}

export interface PropertiesAnswer {
  from: string
  to: string
  data: { property: string; count: number; types: Record<string, number> }[]
}

export const properties = define({
  name: 'properties',
  kind: 'properties',
  title: 'Properties',
  text: 'The keys at the top of `properties`, the most frequent first: in how many events of the range each occurs, and how often with which JSON type.',
  parameters: v.object({ ...RANGE, search, limit: v.optional(integer(1, NAMES_MAX), '100') }),
  days: ({ from, to }) => ({ from, to }),
  sql: ({ parameters: p }, { select, bind }) => `
    WITH pairs AS (
      SELECT entry.key AS name, coalesce(json_type(entry.value), 'NULL') AS type FROM (
        ${select(`unnest(map_entries(from_json(properties, '"MAP(VARCHAR, JSON)"'))) AS entry`)})),
    counted AS (SELECT name, type, count(*) AS n FROM pairs WHERE ${searched('name', p.search, bind)} GROUP BY name, type),
    largest AS (SELECT name, sum(n) AS total FROM counted GROUP BY name ORDER BY total DESC, name LIMIT ${bind(p.limit)})
    SELECT name, type, n::DOUBLE, total::DOUBLE FROM counted JOIN largest USING (name) ORDER BY total DESC, name, n DESC, type`,
  answer({ days }, rows): PropertiesAnswer {
    const found = new Map<string, PropertiesAnswer['data'][number]>()
    for (const [name, type, n, total] of rows) {
      const property = String(name)
      const entry = found.get(property) ?? { property, count: Number(total), types: {} }
      const json_type = typeOf(type!)
      entry.types[json_type] = (entry.types[json_type] ?? 0) + Number(n)
      found.set(property, entry)
    }
    return { from: formatDay(days.from), to: formatDay(days.to), data: [...found.values()] }
  },
  csv: ({ data }) => [
    ['property', 'type', 'count'],
    ...data.flatMap(({ property, types }) =>
      Object.entries(types).map(([type, count]) => [property, type, count]),
    ),
  ],
  schema: {
    name: 'Properties',
    of: objectOf({
      from: DAY,
      to: DAY,
      data: listOf(
        objectOf({
          property: TEXT,
          count: COUNT,
          types: {
            type: 'object',
            additionalProperties: COUNT,
            description: 'Events by JSON type: string, number, boolean, null, array, object.',
          },
        }),
      ),
    }),
  },
  examples: {
    properties: {
      summary: 'Of purchases',
      query: `${EXAMPLE_RANGE}&where=event_type+%3D+purchase`,
      reply: {
        answer: {
          from: '2025-08-01',
          to: '2025-08-03',
          data: [
            { property: 'country', count: 1, types: { string: 1 } },
            { property: 'price', count: 1, types: { number: 1 } },
          ],
        },
      },
    },
    properties_without_to: { summary: 'A missing parameter', query: 'from=2025-08-01', reply: MISSING_TO },
  },
})

function typeOf(type: Row[number]): string {
  return TYPES[String(type)] ?? 'number'
}
