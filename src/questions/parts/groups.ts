import * as v from 'valibot'
import { parseFields } from '../../filter/parse.ts'
import { printField } from '../../filter/print.ts'
import { FilterError } from '../../filter/tokens.ts'
import type { Field } from '../../filter/tree.ts'
import { propertyOf } from '../../sql/property.ts'
import type { Bind } from '../../sql/statement.ts'
import { integer } from './parameters.ts'
import type { Json } from './json-schema.ts'

/** `group_by=`: the largest groups by the measure, and the rest together as one named `other`. */

export const GROUP_FIELDS_MAX = 2
export const GROUPS_MAX = 100
export const OTHER = 'other'

const groupBy = v.pipe(
  v.string(),
  v.metadata({ json_schema: { type: 'string' } }),
  v.rawTransform(({ dataset, addIssue, NEVER }): readonly Field[] => {
    const refuse = (message: string) => {
      addIssue({ message })
      return NEVER
    }
    try {
      const fields = parseFields(dataset.value)
      if (fields.length > GROUP_FIELDS_MAX) return refuse(`may name at most ${GROUP_FIELDS_MAX} fields`)
      if (fields.includes('user_id'))
        return refuse('must name event_type or properties.<key>; a group of one user is no group')
      if (new Set(fields.map(printField)).size < fields.length) return refuse('names a field twice')
      return fields
    } catch (error) {
      if (error instanceof FilterError) return refuse(error.message)
      throw error
    }
  }),
)

export const GROUPING = {
  group_by: v.optional(groupBy),
  groups: v.optional(integer(1, GROUPS_MAX), '10'),
}

/** A value of each field, null where it is missing; `other` in each for the rest. */
export type Group = Record<string, string | null>

/** SQL columns `g0`, `g1`, … of the groups of an event, each with a leading comma. */
export function groupColumns(fields: readonly Field[], bind: Bind): string {
  return fields
    .map((field, i) => `, ${typeof field === 'string' ? field : propertyOf(field, bind).text} AS g${i}`)
    .join('')
}

/**
 * SQL that labels the rows of `e` with their group: those of the largest groups keep theirs.
 * @param measure an aggregate over `e`, by which groups are large
 * @param columns what else to keep of a row
 * @param where which rows count for the measure
 * @returns a SELECT of is_other, g0, … and the columns
 */
export function labelled(
  fields: readonly Field[],
  groups: number,
  measure: string,
  columns: string,
  where = 'true',
): string {
  if (fields.length === 0) return `SELECT false AS is_other, ${columns} FROM e`
  const names = fields.map((_, i) => `g${i}`)
  const same = names.map((name) => `e.${name} IS NOT DISTINCT FROM largest.${name}`).join(' AND ')
  const kept = names.map((name) => `CASE WHEN largest.found THEN e.${name} END AS ${name}`).join(', ')
  return `
    SELECT largest.found IS NULL AS is_other, ${kept}, ${columns}
    FROM e LEFT JOIN (
      SELECT ${names.join(', ')}, true AS found FROM e WHERE ${where} GROUP BY ${names.join(', ')}
      ORDER BY ${measure} DESC NULLS LAST, ${names.map((name) => `${name} NULLS LAST`).join(', ')} LIMIT ${groups}) largest
    ON ${same}`
}

/** The group of a row that begins with is_other, g0, …. */
export function groupOf(fields: readonly Field[], row: readonly unknown[]): Group {
  return Object.fromEntries(
    fields.map((field, i) => {
      const value = row[i + 1]
      return [printField(field), row[0] === true ? OTHER : value === null ? null : String(value)]
    }),
  )
}

export const GROUP_SCHEMA: Json = {
  type: 'object',
  additionalProperties: { type: ['string', 'null'] },
  description: `A value of each field of \`group_by\`, null where it is missing; \`${OTHER}\` in each for the rest.`,
}
